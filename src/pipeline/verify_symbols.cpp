#include <algorithm>
#include <optional>
#include <utility>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/compare.h>
#include <arrow/table.h>
#include <arrow/type.h>

#include "base/progress.h"
#include "base/run_stats.h"
#include "base/thread_tasks.h"
#include "pipeline/account_rows_internal.h"
#include "pipeline/daily_summary_file.h"
#include "pipeline/merge_map_file.h"
#include "pipeline/phantom_positions.h"
#include "pipeline/pnl_table_set.h"
#include "pipeline/pnl_tables.h"
#include "pipeline/query_rows.h"
#include "pipeline/summary_merge.h"
#include "pipeline/summary_rules_internal.h"
#include "pipeline/symbol_pnl.h"
#include "pipeline/table_writer.h"
#include "pipeline/verify_context_internal.h"
#include "storage/arrow_status_internal.h"
#include "storage/parquet_read.h"

namespace tapeworks {
namespace {

constexpr const char* kSummary = "daily_summary";
constexpr const char* kPricePath = "price/close_prices.parquet";

/// Resident bytes for each row of a symbol: the arrays of DailySummary, and the Arrow table that
/// they come from; with --full also lots and tables.
constexpr uint64_t kSummaryArrayBytes = 32;
constexpr uint64_t kSummaryTableBytes = 64;
constexpr uint64_t kLotBytes = 64;
/// For each row of pnl_daily, which --full makes and reads: the array, and two Arrow tables.
constexpr uint64_t kDailyArrayBytes = 24;
constexpr uint64_t kDailyTableBytes = 80;
/// A row of the ledger computed, and as read.
constexpr uint64_t kLedgerTableBytes = 64;

/// A table in memory may have texts as dictionaries where the file has them as they are.
arrow::Result<std::shared_ptr<arrow::Table>> with_plain_texts(const arrow::Table& table,
                                                              arrow::MemoryPool* pool) {
  arrow::FieldVector fields;
  arrow::ChunkedArrayVector columns;
  for (int i = 0; i < table.num_columns(); ++i) {
    auto column = table.column(i);
    if (column->type()->id() == arrow::Type::DICTIONARY) {
      arrow::StringBuilder texts(pool);
      for (const auto& chunk : column->chunks()) {
        const auto& coded = static_cast<const arrow::DictionaryArray&>(*chunk);
        const auto& values = static_cast<const arrow::StringArray&>(*coded.dictionary());
        for (int64_t row = 0; row < coded.length(); ++row) {
          ARROW_RETURN_NOT_OK(coded.IsNull(row)
                                  ? texts.AppendNull()
                                  : texts.Append(values.GetView(coded.GetValueIndex(row))));
        }
      }
      ARROW_ASSIGN_OR_RAISE(auto plain, texts.Finish());
      column = std::make_shared<arrow::ChunkedArray>(std::move(plain));
    }
    fields.push_back(table.field(i)->WithType(column->type()));
    columns.push_back(std::move(column));
  }
  return arrow::Table::Make(arrow::schema(std::move(fields)), std::move(columns), table.num_rows());
}

bool equal_tables(const arrow::Table& computed, const arrow::Table& stored) {
  return computed.Equals(
      stored,
      arrow::EqualOptions::Defaults().nans_equal(true).signed_zeros_equal(false).use_metadata(
          false));
}

/// The open lots of one set of accounts.
struct LotTable {
  std::string name;
  const Table* table = nullptr;    ///< null when there is none that is current
  Day until = kLastDayOfYear9999;  ///< its day of valuation
};

/// The checks that need one symbol's rows. Threads: check() from any, once per symbol.
class SymbolChecker {
 public:
  SymbolChecker(VerifyContext& context, const Table& summary)
      : context_(context),
        summary_(summary),
        lots_(find_lots("")),
        merged_lots_(find_lots(kMergedSuffix)),
        pnl_(context.current_table("pnl")),
        merged_pnl_(context.current_table(std::string("pnl") + kMergedSuffix)) {
    make_slots(context.plain);
    const auto width = summary.options.find("amounts");
    if (width != summary.options.end()) amounts_ = width->second;
  }

  /// Prepares what concerns merged brokers, where there are any.
  Status prepare_mergers() {
    const bool has_map = context_.manifest().find(kMergeMapTable) != nullptr;
    if (!has_map && merged_pnl_ == nullptr) return {};
    make_slots(context_.merged);
    if (!has_map || !context_.is_whole(kMergeMapFile)) {
      why_no_mergers_ = has_map ? "the map of mergers is damaged" : "there is no map of mergers";
      return {};
    }
    auto mergers = load_merge_map(context_.path_of(kMergeMapFile), context_.budget.pool());
    if (!mergers) {
      why_no_mergers_ = "the map of mergers cannot be read";
      return note_failure(0, mergers.error(), rules_);
    }
    mergers_ = std::move(*mergers);
    return {};
  }

  /// Prepares the comparison of --full; says why when it is impossible.
  Result<std::string> prepare_recomputation() {
    if (pnl_ == nullptr) return context_.why_not("pnl");
    const auto start = day_option(*pnl_, "start");
    if (!start) return std::string("pnl was not made by this program");
    if (context_.current_table("price") == nullptr) return context_.why_not("price");
    if (!context_.is_whole(kPricePath)) return std::string("the closes are damaged");
    auto prices = load_close_prices(context_.path_of(kPricePath), context_.budget.pool());
    if (!prices) {
      if (stops_verification(prices.error())) return std::unexpected(prices.error());
      return prices.error().message;
    }
    prices_ = std::move(*prices);
    if (!context_.budget.try_reserve(prices_.byte_count(), price_reservation_)) {
      return over_budget("the closes do not fit in memory; give a larger --memory");
    }
    PnlOptions options;
    options.mode = context_.mode;
    options.start = *start;
    options.as_of = day_option(*pnl_, "as_of").value_or(kLastDayOfYear9999);
    options.daily = context_.current_table("pnl_daily") != nullptr;
    options.ledger = context_.current_table(kPositionLedger) != nullptr;
    pnl_options_ = options;
    return std::string();
  }

  Status check(size_t index) {
    const TableFile& file = summary_.files[index];
    if (!context_.is_whole(file.path)) return {};
    Reservation reservation;
    if (!context_.budget.try_reserve(needed_bytes(file).beside_pool, reservation)) {
      return over_budget("{}: {} rows do not fit in memory; give a larger --memory", file.path,
                         file.row_count);
    }
    const auto summary = read_daily_summary(context_.path_of(file.path), context_.budget.pool());
    if (!summary) return note_failure(index, summary.error(), rules_);
    add_run_rows(summary->row_count());
    TW_TRY(check_rules(index, file.path, *summary));
    SymbolSums& sums = note_brokers(*summary, context_.plain);
    // The reference skips a symbol without text, and so do the compat modes.
    if (summary->symbol.empty()) return {};
    TW_TRY(check_lots(index, *summary, lots_));
    TW_TRY(check_ranks(index, summary->symbol, "", pnl_, sums));
    if (lots_.table != nullptr) phantoms_.add(*summary, lots_.until);
    TW_TRY(recompute(index, *summary, ""));
    if (mergers_) return check_merged(index, *summary);
    // Without the map, only what the files of merged brokers say among themselves is left.
    if (merged_pnl_ == nullptr) return {};
    SymbolSums& merged_sums = context_.merged.symbols.find(summary->symbol)->second;
    return check_ranks(index, summary->symbol, kMergedSuffix, merged_pnl_, merged_sums);
  }

  struct NeededBytes {
    uint64_t beside_pool = 0;  ///< in arrays of our own
    uint64_t all = 0;
  };
  NeededBytes needed_bytes(const TableFile& file) const {
    NeededBytes needed{file.row_count * kSummaryArrayBytes, 0};
    uint64_t pool = file.row_count * kSummaryTableBytes;
    if (pnl_options_) {
      const uint64_t daily_rows = daily_row_count(symbol_of_file(file.path));
      needed.beside_pool += file.row_count * kLotBytes + daily_rows * kDailyArrayBytes;
      pool += daily_rows * kDailyTableBytes;
      if (pnl_options_->ledger) {
        needed.beside_pool += file.row_count * sizeof(LedgerRow);
        pool += 2 * file.row_count * kLedgerTableBytes;
      }
    }
    if (mergers_) needed.beside_pool += file.row_count * (kSummaryArrayBytes + sizeof(size_t));
    needed.all = needed.beside_pool + pool;
    return needed;
  }

  /// After the last check().
  void store_activity() {
    store_activity(phantoms_, context_.plain);
    store_activity(merged_phantoms_, context_.merged);
  }

  std::vector<CheckResult> results() const {
    std::vector<CheckResult> results;
    results.push_back(rules_.result(
        kSummary,
        fmt::format("{} symbols, {} rows in order", summary_.files.size(), summary_.row_count())));
    results.push_back(balance_.result("balance", "bought equals sold on every day of every symbol",
                                      CheckStatus::kWarning));
    results.push_back(
        lots_.table == nullptr
            ? not_checked("open_lots", context_.why_not(lots_.name))
            : lots_findings_.result("open_lots", "the open lots are what was bought minus sold"));
    results.push_back(phantom_result("phantom_positions", phantoms_));
    if (mergers_) results.push_back(phantom_result("phantom_positions_merged", merged_phantoms_));
    if (!why_no_mergers_.empty()) {
      results.push_back(not_checked("open_lots_merged", why_no_mergers_));
      results.push_back(not_checked("phantom_positions_merged", why_no_mergers_));
      if (pnl_options_) results.push_back(not_checked("recomputed_pnl_merged", why_no_mergers_));
    }
    results.push_back(pnl_ == nullptr
                          ? not_checked("ranks", context_.why_not("pnl"))
                          : ranks_.result("ranks", "every symbol's accounts are in order"));
    if (pnl_options_) {
      results.push_back(recomputed_.result(
          "recomputed_pnl", "the same numbers, bit for bit, from trades and closes"));
    }
    return results;
  }

 private:
  CheckResult phantom_result(const char* check, const PhantomPositions& positions) const {
    if (lots_.table == nullptr) return not_checked(check, context_.why_not(lots_.name));
    const uint32_t days = context_.options.phantom_days;
    Findings findings;
    size_t order = 0;
    for (const auto& phantom : positions.silent_for(days)) {
      findings.add(
          order++,
          fmt::format("broker {} has open lots in {} symbol{} and last traded on {}; if it "
                      "merged into another one, give pnl a --merge-map",
                      phantom.broker.value_or("null"), phantom.open_symbols,
                      phantom.open_symbols == 1 ? "" : "s", to_string(phantom.last_trade)),
          phantom.open_symbols);
    }
    return findings.result(check,
                           fmt::format("every broker with open lots traded within {} days", days),
                           CheckStatus::kWarning);
  }

  /// One for each symbol, before threads share the map.
  void make_slots(SymbolFacts& facts) const {
    for (const TableFile& file : summary_.files) facts.symbols[symbol_of_file(file.path)];
  }

  LotTable find_lots(const std::string& suffix) const {
    LotTable lots{.name = "fifo_state" + suffix};
    lots.table = context_.current_table(lots.name);
    if (lots.table != nullptr) {
      lots.until = day_option(*lots.table, "as_of").value_or(kLastDayOfYear9999);
    }
    return lots;
  }

  void store_activity(const PhantomPositions& positions, SymbolFacts& facts) const {
    facts.activity = positions.brokers();
    facts.has_all_activity = lots_.table != nullptr;
    for (const auto& [symbol, sums] : facts.symbols) {
      if (symbol.empty()) continue;
      facts.has_summaries |= sums.summary_read;
      facts.has_all_activity &= sums.summary_read;
    }
  }

  static SymbolSums& note_brokers(const DailySummary& summary, SymbolFacts& facts) {
    SymbolSums& sums = facts.symbols.find(summary.symbol)->second;
    sums.summary = sums_of_brokers(summary);
    sums.summary_read = true;
    return sums;
  }

  static std::optional<Day> day_option(const Table& table, const char* name) {
    const auto text = table.options.find(name);
    return text == table.options.end() ? std::nullopt : parse_day(text->second);
  }

  static Status note_failure(size_t index, const Error& error, Findings& findings) {
    if (stops_verification(error)) return std::unexpected(error);
    findings.add(index, error.message);
    return {};
  }

  Status check_rules(size_t index, const std::string& path, const DailySummary& summary) {
    const auto info = read_parquet_info(context_.path_of(path), context_.budget.pool());
    if (!info) return note_failure(index, info.error(), rules_);
    const auto type = info->schema->GetFieldByName("buy_amount")->type();
    const bool wide = type->id() == arrow::Type::DOUBLE;
    if (amounts_ && wide != (*amounts_ == "float64")) {
      rules_.add(index, fmt::format("{}: amounts are of type {} and the manifest says {}", path,
                                    type->ToString(), *amounts_));
    }
    std::string problem = date_problem(summary, context_.mode);
    const bool good_dates = problem.empty();
    if (good_dates && !is_compat(context_.mode)) problem = broken_promise(summary);
    if (!problem.empty()) rules_.add(index, path + ": " + problem);
    if (good_dates) check_days(index, summary);
    return {};
  }

  void check_days(size_t index, const DailySummary& summary) {
    const std::vector<DayNet> days = nets_by_day(summary);
    const auto unbalanced =
        std::ranges::count_if(days, [](const DayNet& day) { return day.net != 0; });
    if (unbalanced != 0) {
      const auto first = std::ranges::find_if(days, [](const DayNet& day) { return day.net != 0; });
      balance_.add(index,
                   fmt::format("{} on {}: bought minus sold is {}", summary.symbol,
                               to_string(first->day), first->net),
                   static_cast<uint64_t>(unbalanced));
    }
    const std::scoped_lock lock(mutex_);
    for (const DayNet& day : days) context_.trade_days.insert(day.day);
  }

  uint64_t daily_row_count(const std::string& symbol) const {
    const Table* table = context_.current_table("pnl_daily");
    if (table == nullptr) return 0;
    const auto found = find_file(*table, symbol_file_path("pnl_daily", symbol));
    return found == nullptr ? 0 : found->row_count;
  }

  static const TableFile* find_file(const Table& table, const std::string& path) {
    const auto found = std::ranges::lower_bound(table.files, path, {}, &TableFile::path);
    return found == table.files.end() || found->path != path ? nullptr : &*found;
  }

  /// The path of the symbol's file in another table; notes when there is none.
  std::optional<std::string> file_of(const Table& table, const std::string& name, size_t index,
                                     const std::string& symbol, Findings& findings) const {
    std::string path = symbol_file_path(name, symbol);
    if (find_file(table, path) == nullptr) {
      findings.add(index, fmt::format("{} is not there, but the symbol is in daily_summary", path));
      return std::nullopt;
    }
    if (!context_.is_whole(path)) return std::nullopt;
    return path;
  }

  Status check_lots(size_t index, const DailySummary& summary, const LotTable& lots) {
    if (lots.table == nullptr) return {};
    const auto path = file_of(*lots.table, lots.name, index, summary.symbol, lots_findings_);
    if (!path) return {};
    const auto status = compare_lots(index, *path, summary, lots.until);
    return status ? Status{} : note_failure(index, status.error(), lots_findings_);
  }

  Status compare_lots(size_t index, const std::string& path, const DailySummary& summary,
                      Day until) {
    arrow::MemoryPool* pool = context_.budget.pool();
    TW_ASSIGN(const auto stored,
              read_parquet(context_.path_of(path), {"broker", "side", "shares"}, pool));
    TW_ASSIGN(const auto table, plain_table(*stored, path, pool));
    TW_ASSIGN(const auto brokers, text_column(*table, "broker"));
    TW_ASSIGN(const auto sides, text_column(*table, "side"));
    const auto shares = table->GetColumnByName("shares")->chunk(0);
    if (shares->type_id() != arrow::Type::INT64 || shares->null_count() != 0) {
      return corrupt("{}: shares must be int64 without nulls", path);
    }
    std::vector<int64_t> expected = net_shares(summary, until);
    std::vector<int64_t> open(expected.size(), 0);
    for (int64_t row = 0; row < table->num_rows(); ++row) {
      const auto broker = find_broker(summary, text_at(*brokers, row));
      if (!broker) return corrupt("{}: row {} is of a broker that never traded", path, row);
      const auto side = text_at(*sides, row);
      const int64_t count = static_cast<const arrow::Int64Array&>(*shares).Value(row);
      const int64_t signed_count = side == "long" ? count : -count;
      const bool other_side = (open[*broker] < 0) != (signed_count < 0) && open[*broker] != 0;
      if (count <= 0 || other_side || (side != "long" && side != "short")) {
        return corrupt("{}: row {} is no lot that its account could have", path, row);
      }
      open[*broker] += signed_count;
    }
    for (uint32_t broker = 0; broker < expected.size(); ++broker) {
      if (open[broker] == expected[broker]) continue;
      lots_findings_.add(index,
                         fmt::format("{}: broker {} has {} shares open and traded {}", path,
                                     broker_text(summary, broker), open[broker], expected[broker]));
    }
    return {};
  }

  /// `pnl` is the table of the set with this suffix, or null.
  Status check_ranks(size_t index, const std::string& symbol, const std::string& suffix,
                     const Table* pnl, SymbolSums& sums) {
    if (pnl == nullptr) return {};
    const auto path = file_of(*pnl, "pnl" + suffix, index, symbol, ranks_);
    if (!path) return {};
    const auto status = compare_ranks(*path, sums);
    return status ? Status{} : note_failure(index, status.error(), ranks_);
  }

  Status compare_ranks(const std::string& path, SymbolSums& sums) {
    TW_ASSIGN(const auto stored, read_parquet(context_.path_of(path), {}, context_.budget.pool()));
    TW_ASSIGN(const AccountRows rows,
              AccountRows::of(*stored, AccountRows::money_names(context_.mode), path,
                              context_.budget.pool()));
    TW_TRY(check_rank_order(*stored, rows, context_.mode, path));
    for (int64_t row = 0; row < rows.count(); ++row) {
      sums.pnl.brokers += rows.broker_hash(row);
      sums.pnl.rows += rows.row_hash(row);
    }
    sums.pnl.row_count = static_cast<uint64_t>(rows.count());
    sums.pnl_read = true;
    return {};
  }

  Status check_merged(size_t index, const DailySummary& summary) {
    const auto merged = merge_summary(summary, *mergers_, amounts_of(summary_));
    if (!merged) return note_failure(index, merged.error(), rules_);
    const DailySummary& checked = *merged ? **merged : summary;
    if (lots_.table != nullptr) merged_phantoms_.add(checked, lots_.until);
    SymbolSums& sums = note_brokers(checked, context_.merged);
    TW_TRY(check_lots(index, checked, merged_lots_));
    TW_TRY(check_ranks(index, checked.symbol, kMergedSuffix, merged_pnl_, sums));
    return recompute(index, checked, kMergedSuffix);
  }

  /// Compares the set of tables with this suffix.
  Status recompute(size_t index, const DailySummary& summary, const std::string& suffix) {
    if (!pnl_options_) return {};
    const auto status = compare_recomputed(index, summary, suffix);
    return status ? Status{} : note_failure(index, status.error(), recomputed_);
  }

  Status compare_recomputed(size_t index, const DailySummary& summary, const std::string& suffix) {
    arrow::MemoryPool* pool = context_.budget.pool();
    TW_ASSIGN(const SymbolPnl pnl,
              compute_symbol_pnl(summary, prices_.of(summary.symbol), *pnl_options_));
    TW_ASSIGN(const auto accounts, pnl_table(summary, pnl, context_.mode, pool));
    TW_TRY(compare_with_file(index, "pnl" + suffix, summary.symbol, *accounts));
    TW_ASSIGN(const auto lots, fifo_state_table(summary, pnl, pool));
    TW_TRY(compare_with_file(index, "fifo_state" + suffix, summary.symbol, *lots));
    if (pnl_options_->daily) {
      TW_ASSIGN(const auto daily, pnl_daily_table(summary, pnl, pool));
      TW_TRY(compare_with_file(index, "pnl_daily" + suffix, summary.symbol, *daily));
    }
    if (!pnl_options_->ledger) return {};
    TW_ASSIGN(const auto ledger, position_ledger_table(summary, pnl, pool));
    return compare_with_file(index, kPositionLedger + suffix, summary.symbol, *ledger);
  }

  Status compare_with_file(size_t index, const std::string& name, const std::string& symbol,
                           const arrow::Table& computed) {
    const Table* table = context_.current_table(name);
    if (table == nullptr) return {};
    const auto path = file_of(*table, name, index, symbol, recomputed_);
    if (!path) return {};
    arrow::MemoryPool* pool = context_.budget.pool();
    TW_ASSIGN(const auto read, read_parquet(context_.path_of(*path), {}, pool));
    TW_ASSIGN(const auto stored, from_arrow(with_plain_texts(*read, pool), *path));
    TW_ASSIGN(const auto plain, from_arrow(with_plain_texts(computed, pool), *path));
    if (!equal_tables(*plain, *stored)) {
      recomputed_.add(index, fmt::format("{} is not what its trades and closes give", *path));
    }
    return {};
  }

  VerifyContext& context_;
  const Table& summary_;
  const LotTable lots_;
  const LotTable merged_lots_;
  const Table* pnl_;
  const Table* merged_pnl_;
  std::optional<std::string> amounts_;
  std::optional<PnlOptions> pnl_options_;
  ClosePrices prices_;
  Reservation price_reservation_;
  std::optional<BrokerMergers> mergers_;
  std::string why_no_mergers_;  ///< there are tables of merged brokers, and no map for them
  PhantomPositions phantoms_;
  PhantomPositions merged_phantoms_;
  std::mutex mutex_;  // guards context_.trade_days
  Findings rules_;
  Findings balance_;
  Findings lots_findings_;
  Findings ranks_;
  Findings recomputed_;
};

/// Symbols that a table has and daily_summary has not.
void find_strangers(const VerifyContext& context, Findings& findings) {
  for (const char* name : {"pnl", "fifo_state", "pnl_daily", "position_ledger", "pnl_merged",
                           "fifo_state_merged", "pnl_daily_merged", "position_ledger_merged"}) {
    const Table* table = context.current_table(name);
    if (table == nullptr) continue;
    for (const TableFile& file : table->files) {
      if (!context.plain.symbols.contains(symbol_of_file(file.path))) {
        findings.add(0,
                     fmt::format("{} is of a symbol that daily_summary does not have", file.path));
      }
    }
  }
}

/// As many threads as the budget has room for the largest symbol.
size_t thread_count_for(const VerifyContext& context, const Table& summary,
                        const SymbolChecker& checker) {
  constexpr uint64_t kBytesBeside = 4 << 20;
  uint64_t largest = kBytesBeside;
  for (const TableFile& file : summary.files) {
    largest = std::max(largest, checker.needed_bytes(file).all + kBytesBeside);
  }
  return std::clamp<size_t>(context.budget.available_bytes() / largest, 1,
                            context.options.thread_count);
}

}  // namespace

Result<std::vector<CheckResult>> check_symbols(VerifyContext& context) {
  const Table* summary = context.manifest().find(kSummary);
  if (summary == nullptr) return std::vector{not_checked(kSummary, context.why_not(kSummary))};
  SymbolChecker checker(context, *summary);
  TW_TRY(checker.prepare_mergers());
  std::vector<CheckResult> unable;
  if (context.options.full) {
    TW_ASSIGN(std::string why_not, checker.prepare_recomputation());
    if (!why_not.empty()) unable.push_back(not_checked("recomputed_pnl", std::move(why_not)));
  }
  Progress progress("checking symbols", summary->row_count());
  const auto check = [&](size_t index, size_t) -> Status {
    TW_TRY(checker.check(index));
    progress.add(summary->files[index].row_count);
    return {};
  };
  TW_TRY(run_tasks(summary->files.size(), thread_count_for(context, *summary, checker), check));
  checker.store_activity();
  std::vector<CheckResult> results = checker.results();
  std::ranges::move(unable, std::back_inserter(results));
  Findings strangers;
  find_strangers(context, strangers);
  results.push_back(strangers.result("symbols", "no table has a symbol of its own"));
  return results;
}

}  // namespace tapeworks
