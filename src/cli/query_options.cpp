#include "cli/query_options.h"

#include <algorithm>

#include <arrow/table.h>

#include "cli/number_range.h"

namespace tapeworks {
namespace {

constexpr size_t kRowsForPeople = 20;

}  // namespace

void QueryOptions::describe(CLI::App& app) {
  data.describe(app);
  app.add_flag("--allow-stale", allow_stale,
               "Answer from tables that are older than what they were made from");
  app.add_flag("--merged", merged, "Use the tables of merged brokers");
  work.describe(app);
}

Status QueryOptions::check() const { return work.check(); }

Result<OpenedQuery> OpenedQuery::open(const QueryOptions& options) {
  OpenedQuery query;
  TW_ASSIGN(query.budget, options.work.make_budget());
  TW_ASSIGN(auto generation, GenerationReader::open(options.data.data_dir));
  query.generation = std::make_unique<GenerationReader>(std::move(generation));
  return query;
}

QueryContext OpenedQuery::context(const QueryOptions& options) const {
  return {*generation, options.data.data_dir, options.allow_stale, budget->pool(), options.merged};
}

void TopOption::describe(CLI::App& app) {
  app.add_option("--top", top, "Rows to show (default: 20 with --format table, otherwise all)")
      ->type_name("N")
      ->check(at_least(1));
}

std::shared_ptr<arrow::Table> TopOption::apply(const std::shared_ptr<arrow::Table>& table,
                                               TableNotes& notes) const {
  const auto row_count = static_cast<size_t>(table->num_rows());
  size_t shown_count = row_count;
  if (top != 0) {
    shown_count = std::min(top, row_count);
  } else if (output_format() == OutputFormat::kTable) {
    shown_count = std::min(kRowsForPeople, row_count);
  }
  if (shown_count < row_count) {
    notes.footnotes.push_back(
        fmt::format("{} more rows; --top {} shows them all.", row_count - shown_count, row_count));
  }
  return table->Slice(0, static_cast<int64_t>(shown_count));
}

Result<std::optional<Day>> parse_day_option(const char* option, const std::string& text) {
  if (text.empty()) return std::nullopt;
  if (const auto day = parse_day(text)) return day;
  return invalid_argument("{}: '{}' is no day; write it like 2023-01-31", option, text);
}

}  // namespace tapeworks
