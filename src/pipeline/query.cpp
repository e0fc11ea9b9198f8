#include "pipeline/query.h"

#include <algorithm>
#include <cmath>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/table.h>

#include "base/lower_case.h"
#include "base/run_stats.h"
#include "base/thread_tasks.h"
#include "pipeline/merge_map_file.h"
#include "pipeline/pnl_table_set.h"
#include "pipeline/query_rows.h"
#include "pipeline/ranking.h"
#include "storage/arrow_status_internal.h"
#include "storage/parquet_read.h"
#include "storage/row_group_filter.h"

namespace tapeworks {
namespace {

constexpr const char* kSymbolBrokerTable = "symbol_broker";
constexpr const char* kBrokerNamesTable = "broker_names";
constexpr std::string_view kParquetSuffix = ".parquet";
constexpr const char* kPhantoms = "phantom_positions";
constexpr double kDirectionFactor = 1.1;
constexpr size_t kSimilarMax = 5;

std::filesystem::path path_of_derived(const QueryContext& context, const std::string& table) {
  return context.generation.path() / "derived" / (table + std::string(kParquetSuffix));
}

bool is_of_merged_brokers(const std::string& table) {
  return table.ends_with(kMergedSuffix) || table == kMergeMapTable;
}

/// The command that makes a table.
std::string_view command_of(const std::string& table) {
  if (table == "daily_summary" || table == kBrokerNamesTable) return "etl INPUT";
  if (table == "price") return "sync SOURCE";
  return is_of_merged_brokers(table) ? "pnl --merge-map FILE" : "pnl";
}

Result<std::shared_ptr<arrow::Table>> read_plain(const QueryContext& context,
                                                 const std::filesystem::path& path) {
  TW_ASSIGN(const auto table, read_parquet(path, {}, context.pool));
  add_run_rows(static_cast<uint64_t>(table->num_rows()));
  return plain_table(*table, path.string(), context.pool);
}

/// How far a candidate is from what was written; nothing when it cannot be meant.
std::optional<int> dissimilarity(const std::string& text, const std::string& candidate) {
  if (candidate == text) return 0;
  if (candidate.starts_with(text)) return 1;
  if (candidate.size() >= 2 && text.starts_with(candidate)) return 2;
  const size_t shared = std::max<size_t>(2, text.size() - std::min<size_t>(text.size(), 1));
  if (text.size() >= shared && candidate.starts_with(text.substr(0, shared))) return 3;
  return std::nullopt;
}

std::string suggestion(const std::vector<std::string>& similar) {
  return similar.empty() ? std::string()
                         : fmt::format("; similar ones are {}", fmt::join(similar, ", "));
}

std::vector<int64_t> rows_with_text(const arrow::StringArray& array, std::string_view text) {
  std::vector<int64_t> rows;
  for (int64_t row = 0; row < array.length(); ++row) {
    if (array.IsValid(row) && array.GetView(row) == text) rows.push_back(row);
  }
  return rows;
}

std::unexpected<Error> broker_not_found(const std::string& broker,
                                        const arrow::StringArray& brokers,
                                        const BrokerNames& names) {
  std::vector<std::string> codes;
  for (int64_t row = 0; row < brokers.length(); ++row) {
    if (brokers.IsValid(row)) codes.emplace_back(brokers.GetView(row));
  }
  std::vector<std::string> similar = similar_texts(broker, codes);
  // Somebody may have written the name instead of the code.
  for (const std::string& code : codes) {
    if (similar.size() >= kSimilarMax || broker.empty()) break;
    if (names.of(code).find(broker) != std::string_view::npos &&
        std::ranges::find(similar, code) == similar.end()) {
      similar.push_back(code);
    }
  }
  for (std::string& code : similar) {
    if (const auto name = names.of(code); !name.empty()) code += fmt::format(" ({})", name);
  }
  return not_found("there is no broker '{}' in the ranking{}", broker, suggestion(similar));
}

/// kNotFound, naming the successor, when the broker is not found because it merged.
Status name_successor(const QueryContext& context, const std::string& broker) {
  if (!context.merged) return {};
  TW_ASSIGN(const BrokerMergers mergers, mergers_of(context));
  const std::string_view successor = mergers.successor(broker, kNullDay);
  if (successor == broker) return {};
  return not_found("broker '{}' merged into '{}'; ask for that one, or without --merged", broker,
                   successor);
}

std::string_view direction(double buy_amount, double sell_amount) {
  if (buy_amount > kDirectionFactor * sell_amount) return "long";
  if (sell_amount > kDirectionFactor * buy_amount) return "short";
  return "neutral";
}

Result<std::shared_ptr<arrow::Table>> add_direction(const arrow::Table& table,
                                                    arrow::MemoryPool* pool) {
  TW_ASSIGN(const auto buy, double_column(table, "total_buy_amount"));
  TW_ASSIGN(const auto sell, double_column(table, "total_sell_amount"));
  arrow::StringBuilder builder(pool);
  for (int64_t row = 0; row < table.num_rows(); ++row) {
    TW_TRY(from_arrow(builder.Append(direction(buy->Value(row), sell->Value(row))), "direction"));
  }
  TW_ASSIGN(auto array, from_arrow(builder.Finish(), "direction"));
  return from_arrow(table.AddColumn(table.num_columns(), arrow::field("direction", arrow::utf8()),
                                    std::make_shared<arrow::ChunkedArray>(std::move(array))),
                    "direction");
}

/// The ranking with the column phantom_positions behind, if it says what that needs.
Result<std::shared_ptr<arrow::Table>> add_phantoms(std::shared_ptr<arrow::Table> ranking,
                                                   uint32_t phantom_days, arrow::MemoryPool* pool) {
  if (ranking->GetColumnByName(kLastTradeDateColumn) == nullptr ||
      ranking->GetColumnByName(kOpenPositionsColumn) == nullptr) {
    return ranking;
  }
  TW_ASSIGN(const auto brokers, broker_activity(*ranking));
  const auto newest = std::ranges::max_element(brokers, {}, &BrokerActivity::last_trade_date);
  arrow::Int64Builder builder(pool);
  for (const BrokerActivity& broker : brokers) {
    const bool is_phantom = broker.is_phantom(newest->last_trade_date, phantom_days);
    const auto count = static_cast<int64_t>(is_phantom ? broker.open_positions : 0);
    TW_TRY(from_arrow(builder.Append(count), kPhantoms));
  }
  TW_ASSIGN(auto array, from_arrow(builder.Finish(), kPhantoms));
  return from_arrow(
      ranking->AddColumn(ranking->num_columns(), arrow::field(kPhantoms, arrow::int64()),
                         std::make_shared<arrow::ChunkedArray>(std::move(array))),
      kPhantoms);
}

/// Sums of one row group.
struct ShareSums {
  double all = 0;
  double with_open_short = 0;
};

Result<ShareSums> share_sums(const std::filesystem::path& path, int row_group,
                             arrow::MemoryPool* pool) {
  TW_ASSIGN(const auto read,
            read_parquet_row_group(path, row_group, {"total_pnl", "open_short_cost"}, pool));
  TW_ASSIGN(const auto table, plain_table(*read, path.string(), pool));
  TW_ASSIGN(const auto total, double_column(*table, "total_pnl"));
  TW_ASSIGN(const auto short_cost, double_column(*table, "open_short_cost"));
  ShareSums sums;
  for (int64_t row = 0; row < table->num_rows(); ++row) {
    const double size = std::abs(total->Value(row));
    sums.all += size;
    if (short_cost->Value(row) > 0) sums.with_open_short += size;
  }
  return sums;
}

std::optional<Day> day_of_count(const Table& table, const char* name) {
  const auto found = table.counts.find(name);
  if (found == table.counts.end()) return std::nullopt;
  return Day{static_cast<int32_t>(found->second)};
}

}  // namespace

std::vector<std::string> similar_texts(std::string_view text,
                                       const std::vector<std::string>& candidates) {
  const std::string wanted = lower_case(text);
  std::vector<std::pair<int, std::string>> ranked;
  for (const std::string& candidate : candidates) {
    if (const auto far = dissimilarity(wanted, lower_case(candidate)))
      ranked.emplace_back(*far, candidate);
  }
  std::ranges::sort(ranked);
  std::vector<std::string> similar;
  for (auto& [unused, candidate] : ranked) {
    if (similar.size() < kSimilarMax) similar.push_back(std::move(candidate));
  }
  return similar;
}

std::string QueryContext::table_name(const char* table) const {
  return merged ? std::string(table) + kMergedSuffix : table;
}

std::filesystem::path QueryContext::derived_file(const char* table) const {
  return path_of_derived(*this, table_name(table));
}

Status require_table(const QueryContext& context, const std::string& table) {
  const Manifest& manifest = context.generation.manifest();
  if (manifest.find(table) == nullptr && is_of_merged_brokers(table)) {
    return not_found(
        "{} has no tables of merged brokers; run tapeworks {} --data {}, or ask without --merged",
        context.data_dir.string(), command_of(table), context.data_dir.string());
  }
  if (manifest.find(table) == nullptr) {
    return not_found("{} has no table {} yet; run tapeworks {} --data {}",
                     context.data_dir.string(), table, command_of(table),
                     context.data_dir.string());
  }
  return refuse_stale(context, table);
}

Status refuse_stale(const QueryContext& context, const std::string& table) {
  if (context.allow_stale) return {};
  const auto sources = context.generation.manifest().stale_sources(table);
  if (sources.empty()) return {};
  return not_found(
      "the table {} is older than {}; run tapeworks {} --data {}, or give --allow-stale", table,
      fmt::join(sources, ", "), command_of(table), context.data_dir.string());
}

Result<std::filesystem::path> find_symbol_file(const QueryContext& context,
                                               const std::string& table,
                                               const std::string& symbol) {
  TW_TRY(require_table(context, table));
  const std::string prefix = table + "/";
  const std::string wanted = fmt::format("{}{}{}", prefix, symbol, kParquetSuffix);
  const auto& files = context.generation.manifest().find(table)->files;
  // Only what the manifest lists is opened, so no text can lead out of the generation.
  if (std::ranges::binary_search(files, wanted, {}, &TableFile::path)) {
    return context.generation.path() / wanted;
  }
  std::vector<std::string> symbols;
  for (const TableFile& file : files) {
    if (!file.path.starts_with(prefix) || !file.path.ends_with(kParquetSuffix)) continue;
    symbols.push_back(
        file.path.substr(prefix.size(), file.path.size() - prefix.size() - kParquetSuffix.size()));
  }
  return not_found("there is no symbol '{}'{}", symbol, suggestion(similar_texts(symbol, symbols)));
}

Result<BrokerNames> BrokerNames::load(const QueryContext& context) {
  BrokerNames names;
  if (context.generation.manifest().find(kBrokerNamesTable) == nullptr) return names;
  TW_ASSIGN(const auto table, read_plain(context, path_of_derived(context, kBrokerNamesTable)));
  TW_ASSIGN(const auto codes, text_column(*table, "broker"));
  TW_ASSIGN(const auto texts, text_column(*table, "broker_name"));
  for (int64_t row = 0; row < table->num_rows(); ++row) {
    if (codes->IsNull(row) || texts->IsNull(row)) continue;
    names.names_.emplace(codes->GetView(row), texts->GetView(row));
  }
  return names;
}

std::string_view BrokerNames::of(std::optional<std::string_view> broker) const {
  if (!broker) return "";
  const auto found = names_.find(*broker);
  return found == names_.end() ? std::string_view() : std::string_view(found->second);
}

Result<std::shared_ptr<arrow::Table>> BrokerNames::add_to(const arrow::Table& table,
                                                          arrow::MemoryPool* pool) const {
  static constexpr std::string_view kWhere = "names of brokers";
  TW_ASSIGN(const auto brokers, text_column(table, "broker"));
  arrow::StringBuilder builder(pool);
  for (int64_t row = 0; row < brokers->length(); ++row) {
    TW_TRY(from_arrow(builder.Append(of(text_at(*brokers, row))), kWhere));
  }
  TW_ASSIGN(auto array, from_arrow(builder.Finish(), kWhere));
  return from_arrow(table.AddColumn(table.schema()->GetFieldIndex("broker") + 1,
                                    arrow::field("name", arrow::utf8()),
                                    std::make_shared<arrow::ChunkedArray>(std::move(array))),
                    kWhere);
}

Result<std::shared_ptr<arrow::Table>> ranking_answer(const QueryContext& context,
                                                     const std::string& sort_column,
                                                     uint32_t phantom_days) {
  TW_TRY(require_table(context, context.table_name(kRankingTable)));
  TW_ASSIGN(const auto stored, read_plain(context, context.derived_file(kRankingTable)));
  TW_ASSIGN(const auto ranking, add_phantoms(stored, phantom_days, context.pool));
  TW_ASSIGN(const auto names, BrokerNames::load(context));
  TW_ASSIGN(auto table, names.add_to(*ranking, context.pool));
  if (sort_column.empty()) return table;
  if (table->GetColumnByName(sort_column) == nullptr) {
    return invalid_argument("--sort: there is no column '{}'; the columns are {}", sort_column,
                            fmt::join(table->ColumnNames(), ", "));
  }
  TW_ASSIGN(const auto rows, order_by_column(*table, sort_column));
  return take_rows(*table, rows, context.pool);
}

Result<std::shared_ptr<arrow::Table>> broker_answer(const QueryContext& context,
                                                    const std::string& broker) {
  TW_TRY(require_table(context, context.table_name(kRankingTable)));
  TW_ASSIGN(const auto ranking, read_plain(context, context.derived_file(kRankingTable)));
  TW_ASSIGN(const auto names, BrokerNames::load(context));
  TW_ASSIGN(const auto brokers, text_column(*ranking, "broker"));
  const auto rows = rows_with_text(*brokers, broker);
  if (rows.empty()) {
    TW_TRY(name_successor(context, broker));
    return broker_not_found(broker, *brokers, names);
  }
  TW_ASSIGN(const auto row, take_rows(*ranking, rows, context.pool));
  TW_ASSIGN(const auto named, names.add_to(*row, context.pool));
  return add_direction(*named, context.pool);
}

Result<std::shared_ptr<arrow::Table>> breakdown_answer(const QueryContext& context,
                                                       const std::string& broker) {
  TW_TRY(require_table(context, context.table_name(kSymbolBrokerTable)));
  const auto path = context.derived_file(kSymbolBrokerTable);
  TW_ASSIGN(const auto row_groups, row_groups_with_text(path, "broker", broker, context.pool));
  std::vector<std::shared_ptr<arrow::Table>> parts;
  for (const int row_group : row_groups) {
    TW_ASSIGN(const auto read, read_parquet_row_group(path, row_group, {}, context.pool));
    add_run_rows(static_cast<uint64_t>(read->num_rows()));
    TW_ASSIGN(const auto part, plain_table(*read, path.string(), context.pool));
    TW_ASSIGN(const auto brokers, text_column(*part, "broker"));
    const auto rows = rows_with_text(*brokers, broker);
    if (rows.empty()) continue;
    TW_ASSIGN(parts.emplace_back(), take_rows(*part, rows, context.pool));
  }
  if (parts.empty()) {
    // The ranking knows which brokers may have been meant.
    if (const auto known = broker_answer(context, broker); !known) {
      return std::unexpected(known.error());
    }
    return not_found("there is no account of broker '{}' in any symbol", broker);
  }
  TW_ASSIGN(const auto joined, from_arrow(arrow::ConcatenateTables(parts), path.string()));
  TW_ASSIGN(const auto table, plain_table(*joined, path.string(), context.pool));
  TW_ASSIGN(const auto order, order_by_column(*table, "total_buy_amount"));
  return take_rows(*table, order, context.pool);
}

Result<std::shared_ptr<arrow::Table>> symbol_answer(const QueryContext& context,
                                                    const std::string& symbol) {
  TW_ASSIGN(const auto path, find_symbol_file(context, context.table_name("pnl"), symbol));
  TW_ASSIGN(const auto read, read_parquet(path, {}, context.pool));
  add_run_rows(static_cast<uint64_t>(read->num_rows()));
  TW_ASSIGN(const auto table, plain_table(*read, path.string(), context.pool));
  TW_ASSIGN(const auto names, BrokerNames::load(context));
  return names.add_to(*table, context.pool);
}

Result<BrokerMergers> mergers_of(const QueryContext& context) {
  TW_TRY(require_table(context, kMergeMapTable));
  return load_merge_map(context.generation.path() / kMergeMapFile, context.pool);
}

TradeDateRange trade_date_range(const Manifest& manifest) {
  const Table* table = manifest.find("daily_summary");
  if (table == nullptr) return {};
  return {day_of_count(*table, "first_day"), day_of_count(*table, "last_day")};
}

Result<std::optional<double>> uncovered_short_share(const QueryContext& context,
                                                    size_t thread_count) {
  TW_TRY(require_table(context, context.table_name(kSymbolBrokerTable)));
  const auto path = context.derived_file(kSymbolBrokerTable);
  TW_ASSIGN(const auto info, read_parquet_info(path, context.pool));
  if (info.schema->GetFieldByName("open_short_cost") == nullptr) return std::nullopt;
  std::vector<ShareSums> sums(info.row_group_rows.size());
  TW_TRY(run_tasks(sums.size(), thread_count, [&](size_t index, size_t) -> Status {
    TW_ASSIGN(sums[index], share_sums(path, static_cast<int>(index), context.pool));
    return {};
  }));
  ShareSums whole;
  for (const ShareSums& part : sums) {
    whole.all += part.all;
    whole.with_open_short += part.with_open_short;
  }
  if (!(whole.all > 0)) return std::nullopt;
  return whole.with_open_short / whole.all;
}

}  // namespace tapeworks
