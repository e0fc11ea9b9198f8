#include "pipeline/summary_writer.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/table.h>

#include "base/messages.h"
#include "pipeline/daily_summary_file.h"
#include "storage/arrow_status_internal.h"

namespace tapeworks {
namespace {

struct DayBalance {
  uint64_t days = 0;
  uint64_t unbalanced = 0;
};

DayBalance balance_of(const DailySummary& summary) {
  if (summary.date.empty()) return {};
  const Day first = *std::ranges::min_element(summary.date);
  const Day last = *std::ranges::max_element(summary.date);
  const auto index_of = [origin = int64_t{first.days_since_epoch}](Day day) {
    return static_cast<size_t>(day.days_since_epoch - origin);
  };
  // A null date would make the table as wide as time; its rows stop the P&L anyway.
  if (first == kNullDay) return {};
  struct Entry {
    int64_t net = 0;
    bool traded = false;
  };
  std::vector<Entry> by_day(index_of(last) + 1);
  for (size_t row = 0; row < summary.row_count(); ++row) {
    Entry& entry = by_day[index_of(summary.date[row])];
    entry.net += int64_t{summary.buy_shares[row]} - summary.sell_shares[row];
    entry.traded = true;
  }
  DayBalance balance;
  for (const Entry& entry : by_day) {
    balance.days += entry.traded ? 1 : 0;
    balance.unbalanced += entry.net != 0 ? 1 : 0;
  }
  return balance;
}

/// broker and broker_name, both string, bytewise by code.
arrow::Result<std::shared_ptr<arrow::Table>> broker_names_table(const TransactionRuns& runs,
                                                                arrow::MemoryPool* pool) {
  arrow::StringBuilder brokers(pool);
  arrow::StringBuilder texts(pool);
  for (const auto& [broker, name] : broker_names_of(runs)) {
    ARROW_RETURN_NOT_OK(brokers.Append(broker));
    ARROW_RETURN_NOT_OK(texts.Append(name));
  }
  ARROW_ASSIGN_OR_RAISE(auto broker_array, brokers.Finish());
  ARROW_ASSIGN_OR_RAISE(auto name_array, texts.Finish());
  const auto schema = arrow::schema(
      {arrow::field("broker", arrow::utf8()), arrow::field("broker_name", arrow::utf8())});
  return arrow::Table::Make(schema, {broker_array, name_array});
}

std::string offset_text(const FixedZone& zone) {
  return fmt::format("{}{:02}:{:02}", zone.offset_seconds < 0 ? '-' : '+',
                     std::abs(zone.offset_seconds) / 3600, std::abs(zone.offset_seconds) / 60 % 60);
}

}  // namespace

std::map<std::string, std::string> broker_names_of(const TransactionRuns& runs) {
  std::map<std::string, std::string> names;
  for (const auto& [broker, name] : runs.broker_names) {
    if (broker != 0) names[runs.brokers[broker]] = name;
  }
  return names;
}

Status SummaryWriter::put(const DailySummary& summary) {
  const DayBalance balance = balance_of(summary);
  symbol_days_.fetch_add(balance.days, std::memory_order_relaxed);
  unbalanced_symbol_days_.fetch_add(balance.unbalanced, std::memory_order_relaxed);
  return write(summary);
}

Status SummaryWriter::write(const DailySummary& summary) const {
  TW_ASSIGN(const auto table, daily_summary_table(summary, amounts_, writer_.pool()));
  return writer_.add("daily_summary", symbol_file_path("daily_summary", summary.symbol), *table);
}

void SummaryWriter::start_from(const Table& base) {
  const auto count_of = [&](const char* name) {
    const auto found = base.counts.find(name);
    return found == base.counts.end() ? uint64_t{0} : found->second;
  };
  symbol_days_.store(count_of("symbol_days"));
  unbalanced_symbol_days_.store(count_of("unbalanced_symbol_days"));
}

Status SummaryWriter::put_changed(const DailySummary& summary, const DailySummary& removed,
                                  const DailySummary& added) {
  const DayBalance before = balance_of(removed);
  const DayBalance now = balance_of(added);
  // Unsigned numbers wrap around, so the order in which threads get here does not matter.
  symbol_days_.fetch_add(now.days - before.days, std::memory_order_relaxed);
  unbalanced_symbol_days_.fetch_add(now.unbalanced - before.unbalanced, std::memory_order_relaxed);
  return summary.row_count() == 0 ? Status{} : write(summary);
}

Status SummaryWriter::finish(const TransactionRuns& runs, const ScanOptions& options) {
  TW_ASSIGN(const auto names, from_arrow(broker_names_table(runs, writer_.pool()), "broker names"));
  TW_TRY(writer_.add(kBrokerNamesTable, kBrokerNamesFile, *names));

  std::map<std::string, std::string> options_text{
      {"amounts", std::string(to_string(options.amounts))},
      {"day_zone", offset_text(options.days.day_zone)},
      {"on_bad_row", options.on_bad_row == OnBadRow::kFail ? "fail" : "skip"}};
  if (options.days.naive_zone) options_text["naive_zone"] = offset_text(*options.days.naive_zone);
  std::map<std::string, uint64_t> counts{
      {"rows_read", runs.row_count},
      {"symbol_days", symbol_days_.load()},
      {"unbalanced_symbol_days", unbalanced_symbol_days_.load()}};
  if (runs.first_day != kNullDay) {
    counts["first_day"] = static_cast<uint64_t>(runs.first_day.days_since_epoch);
    counts["last_day"] = static_cast<uint64_t>(runs.last_day.days_since_epoch);
  }
  for (size_t problem = 0; problem < runs.problems.size(); ++problem) {
    const std::string name(manifest_name(static_cast<RowProblem>(problem)));
    if (runs.problems[problem] != 0 && !name.empty()) counts[name] = runs.problems[problem];
  }
  auto& generation = writer_.generation();
  TW_TRY(generation.describe_table(kBrokerNamesTable, {}, {}, {}));
  return generation.describe_table("daily_summary", options_text, {}, counts);
}

}  // namespace tapeworks
