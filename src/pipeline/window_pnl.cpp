#include "pipeline/window_pnl.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/builder.h>
#include <arrow/memory_pool.h>
#include <arrow/table.h>

#include "base/double_double.h"
#include "base/progress.h"
#include "base/run_stats.h"
#include "base/thread_tasks.h"
#include "pipeline/close_prices.h"
#include "pipeline/daily_summary_file.h"
#include "pipeline/pnl_table_set.h"
#include "pipeline/pnl_tables.h"
#include "pipeline/summary_merge.h"
#include "pipeline/table_writer.h"
#include "storage/arrow_status_internal.h"
#include "storage/parquet_read.h"
#include "storage/row_group_filter.h"

namespace tapeworks {
namespace {

constexpr std::string_view kWhere = "P&L of a window";
constexpr const char* kSummaryTable = "daily_summary";
constexpr const char* kPriceTable = "price";
constexpr const char* kPriceFile = "price/close_prices.parquet";
/// Memory of one symbol while it is computed: rows as read and as computed with, and some more.
constexpr uint64_t kBytesPerRow = 72;
/// A row of the ledger as Arrow reads it, with its columns copied into one piece.
constexpr uint64_t kLedgerBytesPerRow = 112;
/// With merged brokers a second summary beside the first, and an index of its rows.
constexpr uint64_t kMergedBytesPerRow = 44;
constexpr uint64_t kBytesPerSymbol = 4 * 1024 * 1024;
/// Symbols whose results may wait for an earlier one that takes longer.
constexpr size_t kSymbolsAheadPerThread = 16;

/// What a broker did in a window, summed over symbols, or in one.
struct WindowTotals {
  DoubleDouble realized_pnl;
  DoubleDouble unrealized_change;
  DoubleDouble buy_amount;
  DoubleDouble sell_amount;
  int64_t net_shares = 0;

  void add(const WindowAccount& account) {
    realized_pnl.add(account.realized_pnl);
    unrealized_change.add(account.unrealized_change);
    buy_amount.add(account.buy_amount);
    sell_amount.add(account.sell_amount);
    net_shares += account.net_shares;
  }
};

/// Nothing is the null broker and comes first.
using TotalsByBroker = std::map<std::optional<std::string>, WindowTotals>;

/// What turns summaries into those of merged brokers.
struct WindowMergers {
  BrokerMergers mergers;
  AmountWidth amounts = AmountWidth::kFloat32;

  /// Mergers that change nothing where none are asked for.
  static Result<WindowMergers> of(const QueryContext& context) {
    WindowMergers made;
    if (!context.merged) return made;
    TW_ASSIGN(made.mergers, mergers_of(context));
    const Table* summary = context.generation.manifest().find(kSummaryTable);
    if (summary != nullptr) made.amounts = amounts_of(*summary);
    return made;
  }

  Result<DailySummary> apply(DailySummary summary) const {
    TW_ASSIGN(auto merged, merge_summary(summary, mergers, amounts));
    return merged ? std::move(*merged) : std::move(summary);
  }
};

/// Whether the position ledger, of merged brokers where these are asked for, tells of every day up
/// to `to`.
bool has_ledger_until(const QueryContext& context, Day to) {
  const Manifest& manifest = context.generation.manifest();
  const std::string name = context.table_name(kPositionLedger);
  const Table* const ledger = manifest.find(name);
  if (ledger == nullptr || !manifest.stale_sources(name).empty()) return false;
  const auto as_of = ledger->options.find("as_of");
  if (as_of == ledger->options.end()) return false;
  const Day last = parse_day(as_of->second).value_or(kNullDay);
  return to <= last || trade_date_range(manifest).last.value_or(to) <= last;
}

/// Where the accounts of windows come from: the position ledger, or FIFO over daily_summary.
/// Threads: accounts() from any.
class WindowSource {
 public:
  static Result<WindowSource> of(const QueryContext& context, DayWindow window) {
    WindowSource source;
    source.folder_ = context.generation.path();
    source.window_ = window;
    source.is_ledger_ = has_ledger_until(context, window.to);
    source.table_ = source.is_ledger_ ? context.table_name(kPositionLedger) : kSummaryTable;
    if (source.is_ledger_) {
      source.bytes_per_row_ = kLedgerBytesPerRow;
    } else {
      TW_ASSIGN(source.mergers_, WindowMergers::of(context));
      if (context.merged) source.bytes_per_row_ += kMergedBytesPerRow;
    }
    return source;
  }

  const std::string& table() const { return table_; }
  uint64_t bytes_per_row() const { return bytes_per_row_; }

  Result<std::vector<WindowAccount>> accounts(const std::filesystem::path& file,
                                              const PriceSeries& closes,
                                              arrow::MemoryPool* pool) const {
    if (is_ledger_) return ledger_window_accounts(folder_ / file, closes, window_, pool);
    TW_ASSIGN(DailySummary stored, read_daily_summary(folder_ / file, pool));
    add_run_rows(stored.row_count());
    TW_ASSIGN(const DailySummary summary, mergers_.apply(std::move(stored)));
    return window_accounts(summary, closes, window_);
  }

 private:
  std::filesystem::path folder_;
  DayWindow window_{};
  bool is_ledger_ = false;
  std::string table_;
  WindowMergers mergers_;
  uint64_t bytes_per_row_ = kBytesPerRow;
};

/// One broker's line of the answer.
struct RankedTotals {
  std::optional<std::string> broker;
  double total_pnl = 0;
  double realized_pnl = 0;
  double unrealized_change = 0;
  double buy_amount = 0;
  double sell_amount = 0;
  int64_t net_shares = 0;
};

std::vector<RankedTotals> ranked(const TotalsByBroker& by_broker) {
  std::vector<RankedTotals> lines;
  for (const auto& [broker, totals] : by_broker) {
    DoubleDouble total = totals.realized_pnl;
    total.add(totals.unrealized_change);
    lines.push_back({broker, total.value(), totals.realized_pnl.value(),
                     totals.unrealized_change.value(), totals.buy_amount.value(),
                     totals.sell_amount.value(), totals.net_shares});
  }
  std::ranges::sort(lines, [](const RankedTotals& left, const RankedTotals& right) {
    if (ranks_above(left.total_pnl, right.total_pnl, Mode::kDefault)) return true;
    if (ranks_above(right.total_pnl, left.total_pnl, Mode::kDefault)) return false;
    return left.broker < right.broker;
  });
  return lines;
}

arrow::Result<std::shared_ptr<arrow::Array>> double_array(const std::vector<RankedTotals>& lines,
                                                          double RankedTotals::* value,
                                                          arrow::MemoryPool* pool) {
  arrow::DoubleBuilder builder(pool);
  for (const RankedTotals& line : lines) ARROW_RETURN_NOT_OK(builder.Append(line.*value));
  return builder.Finish();
}

arrow::Result<std::shared_ptr<arrow::Table>> make_table(const std::vector<RankedTotals>& lines,
                                                        bool with_net_shares,
                                                        arrow::MemoryPool* pool) {
  arrow::UInt32Builder rank(pool);
  arrow::StringBuilder broker(pool);
  arrow::Int64Builder net_shares(pool);
  for (const RankedTotals& line : lines) {
    ARROW_RETURN_NOT_OK(rank.Append(static_cast<uint32_t>(rank.length() + 1)));
    ARROW_RETURN_NOT_OK(line.broker ? broker.Append(*line.broker) : broker.AppendNull());
    ARROW_RETURN_NOT_OK(net_shares.Append(line.net_shares));
  }
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  const auto add_field = [&](const char* name, std::shared_ptr<arrow::Array> array) {
    fields.push_back(arrow::field(name, array->type()));
    arrays.push_back(std::move(array));
  };
  const auto add_doubles = [&](const char* name, double RankedTotals::* value) -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(auto array, double_array(lines, value, pool));
    add_field(name, std::move(array));
    return arrow::Status::OK();
  };
  ARROW_ASSIGN_OR_RAISE(auto rank_array, rank.Finish());
  add_field("rank", std::move(rank_array));
  ARROW_ASSIGN_OR_RAISE(auto broker_array, broker.Finish());
  add_field("broker", std::move(broker_array));
  ARROW_RETURN_NOT_OK(add_doubles("total_pnl", &RankedTotals::total_pnl));
  ARROW_RETURN_NOT_OK(add_doubles("realized_pnl", &RankedTotals::realized_pnl));
  ARROW_RETURN_NOT_OK(add_doubles("unrealized_change", &RankedTotals::unrealized_change));
  if (with_net_shares) {
    ARROW_ASSIGN_OR_RAISE(auto net_array, net_shares.Finish());
    add_field("net_shares", std::move(net_array));
  }
  ARROW_RETURN_NOT_OK(add_doubles("total_buy_amount", &RankedTotals::buy_amount));
  ARROW_RETURN_NOT_OK(add_doubles("total_sell_amount", &RankedTotals::sell_amount));
  return arrow::Table::Make(arrow::schema(std::move(fields)), std::move(arrays));
}

Result<std::shared_ptr<arrow::Table>> answer_of(const QueryContext& context,
                                                const TotalsByBroker& by_broker,
                                                bool with_net_shares) {
  TW_ASSIGN(const auto table,
            from_arrow(make_table(ranked(by_broker), with_net_shares, context.pool), kWhere));
  TW_ASSIGN(const auto names, BrokerNames::load(context));
  return names.add_to(*table, context.pool);
}

/// The closes of one symbol, from the row groups that can hold it.
Result<ClosePrices> prices_of_symbol(const QueryContext& context, const std::string& symbol) {
  const auto path = context.generation.path() / kPriceFile;
  TW_ASSIGN(const auto row_groups, row_groups_with_text(path, "symbol_id", symbol, context.pool));
  if (row_groups.empty()) return ClosePrices();
  std::vector<std::shared_ptr<arrow::Table>> parts;
  for (const int row_group : row_groups) {
    TW_ASSIGN(parts.emplace_back(),
              read_parquet_row_group(path, row_group, {"symbol_id", "date", "close_price"},
                                     context.pool));
  }
  TW_ASSIGN(const auto table, from_arrow(arrow::ConcatenateTables(parts), path.string()));
  return close_prices_of(*table, path.string());
}

Result<ClosePrices> load_prices(const QueryContext& context) {
  const PhaseTimer timer("read prices");
  return load_close_prices(context.generation.path() / kPriceFile, context.pool);
}

/// Lets as many symbols be in memory at once as the budget allows; the others wait for one to end.
/// Threads: any.
class SymbolGate {
 public:
  explicit SymbolGate(MemoryBudget& budget) : budget_(budget) {}

  /// Runs `work` while `bytes` are reserved. kMemoryBudget when they would not be there for a
  /// symbol alone.
  template <typename Work>
  Status run(uint64_t bytes, const std::string& what, Work&& work) {
    TW_ASSIGN(const Ticket ticket, enter(bytes, what));
    return work();
  }

 private:
  /// Being inside; leaving is its destruction.
  class Ticket {
   public:
    Ticket(SymbolGate& gate, Reservation reservation)
        : gate_(&gate), reservation_(std::move(reservation)) {}
    Ticket(Ticket&& other) noexcept
        : gate_(std::exchange(other.gate_, nullptr)), reservation_(std::move(other.reservation_)) {}
    ~Ticket() {
      if (gate_ != nullptr) gate_->leave(reservation_);
    }

   private:
    SymbolGate* gate_;
    Reservation reservation_;
  };

  Result<Ticket> enter(uint64_t bytes, const std::string& what) {
    std::unique_lock lock(mutex_);
    Reservation reservation;
    while (!budget_.try_reserve(bytes, reservation)) {
      if (running_count_ == 0) {
        return over_budget("{} does not fit in --memory; give at least {}MiB", what,
                           (budget_.resident_limit_bytes() + bytes) / kMiBytes + 1);
      }
      one_left_.wait(lock);
    }
    ++running_count_;
    return Ticket(*this, std::move(reservation));
  }

  void leave(Reservation& reservation) {
    {
      const std::scoped_lock lock(mutex_);
      reservation.release();
      --running_count_;
    }
    one_left_.notify_all();
  }

  static constexpr uint64_t kMiBytes = 1024 * 1024;

  MemoryBudget& budget_;
  std::mutex mutex_;
  std::condition_variable one_left_;
  size_t running_count_ = 0;  // guarded by mutex_
};

/// Computes the symbols of a window in blocks and adds them up in symbol order, whatever thread
/// ends first.
class RollingSum {
 public:
  RollingSum(const WindowSource& source, MemoryBudget& budget) : source_(source), gate_(budget) {}

  Status run(const std::vector<TableFile>& files, const ClosePrices& prices, size_t thread_count) {
    PhaseTimer timer("symbols");
    Progress progress("rolling", files.size());
    const size_t block_size = thread_count * kSymbolsAheadPerThread;
    for (size_t begin = 0; begin < files.size(); begin += block_size) {
      const size_t count = std::min(block_size, files.size() - begin);
      std::vector<std::vector<WindowAccount>> block(count);
      const auto compute_one = [&](size_t index, size_t) {
        const TableFile& file = files[begin + index];
        progress.add(1);
        return gate_.run(file.row_count * source_.bytes_per_row() + kBytesPerSymbol, file.path,
                         [&] { return compute(file, prices, block[index]); });
      };
      TW_TRY(run_tasks(count, thread_count, compute_one));
      for (size_t index = 0; index < count; ++index) timer.add_rows(files[begin + index].row_count);
      for (const auto& accounts : block) {
        for (const WindowAccount& account : accounts) totals_[account.broker].add(account);
      }
    }
    return {};
  }

  const TotalsByBroker& totals() const { return totals_; }

 private:
  Status compute(const TableFile& file, const ClosePrices& prices,
                 std::vector<WindowAccount>& accounts) const {
    // The gate has reserved what this takes, so the budget's own pool would count it twice.
    TW_ASSIGN(accounts, source_.accounts(file.path, prices.of(symbol_of_file(file.path)),
                                         arrow::default_memory_pool()));
    return {};
  }

  const WindowSource& source_;
  SymbolGate gate_;
  TotalsByBroker totals_;
};

/// The last date in one file of daily_summary; nothing when it has no row.
Result<std::optional<Day>> last_date_of_file(const std::filesystem::path& path) {
  TW_ASSIGN(const DailySummary summary, read_daily_summary(path, arrow::default_memory_pool()));
  const auto last = std::ranges::max_element(summary.date);
  if (last == summary.date.end() || *last == kNullDay) return std::nullopt;
  return *last;
}

/// The first and last date in the rows of a symbol, where the user did not say them.
Result<DayWindow> window_of_symbol(const QueryContext& context, const std::filesystem::path& path,
                                   std::optional<Day> from, std::optional<Day> to) {
  if (!to) to = trade_date_range(context.generation.manifest()).last;
  if (from && to) return DayWindow{*from, *to};
  TW_ASSIGN(const DailySummary summary, read_daily_summary(path, context.pool));
  const auto [first, last] = std::ranges::minmax_element(summary.date);
  if (!from) from = first == summary.date.end() ? Day{} : *first;
  if (!to) to = last == summary.date.end() ? Day{} : *last;
  return DayWindow{*from, *to};
}

/// What windows are made of. Their accounts would be right without the tables of P&L, but whoever
/// sets them beside those has to know that these are older.
Status require_tables(const QueryContext& context) {
  TW_TRY(require_table(context, kSummaryTable));
  TW_TRY(require_table(context, kPriceTable));
  return refuse_stale(context, context.table_name(kRankingTable));
}

}  // namespace

Result<std::shared_ptr<arrow::Table>> symbol_window_answer(const QueryContext& context,
                                                           const std::string& symbol,
                                                           std::optional<Day> from,
                                                           std::optional<Day> to) {
  TW_TRY(require_tables(context));
  TW_ASSIGN(const auto path, find_symbol_file(context, kSummaryTable, symbol));
  TW_ASSIGN(const ClosePrices prices, prices_of_symbol(context, symbol));
  TW_ASSIGN(const DayWindow window, window_of_symbol(context, path, from, to));
  TW_ASSIGN(const WindowSource source, WindowSource::of(context, window));
  TW_ASSIGN(const auto accounts, source.accounts(symbol_file_path(source.table(), symbol),
                                                 prices.of(symbol), context.pool));
  if (accounts.empty()) {
    return not_found("no broker traded {} from {} to {}, or gained or lost by what it held", symbol,
                     to_string(window.from), to_string(window.to));
  }
  TotalsByBroker totals;
  for (const WindowAccount& account : accounts) totals[account.broker].add(account);
  return answer_of(context, totals, true);
}

Result<std::shared_ptr<arrow::Table>> rolling_answer(const QueryContext& context, DayWindow window,
                                                     MemoryBudget& budget, size_t thread_count) {
  TW_TRY(require_tables(context));
  TW_ASSIGN(const WindowSource source, WindowSource::of(context, window));
  TW_ASSIGN(const ClosePrices prices, load_prices(context));
  Reservation prices_reservation;
  if (!budget.try_reserve(prices.byte_count(), prices_reservation)) {
    return over_budget("the closing prices do not fit in --memory; give {} MiB more",
                       prices.byte_count() / (1024 * 1024) + 1);
  }
  RollingSum sum(source, budget);
  TW_TRY(sum.run(context.generation.manifest().find(source.table())->files, prices, thread_count));
  if (sum.totals().empty()) {
    return not_found("no broker traded anything from {} to {}, or gained or lost by what it held",
                     to_string(window.from), to_string(window.to));
  }
  return answer_of(context, sum.totals(), false);
}

Result<Day> last_trade_date(const QueryContext& context, size_t thread_count) {
  TW_TRY(require_table(context, kSummaryTable));
  if (const auto last = trade_date_range(context.generation.manifest()).last) return *last;
  const auto& files = context.generation.manifest().find(kSummaryTable)->files;
  std::vector<std::optional<Day>> last_dates(files.size());
  TW_TRY(run_tasks(files.size(), thread_count, [&](size_t index, size_t) -> Status {
    TW_ASSIGN(last_dates[index], last_date_of_file(context.generation.path() / files[index].path));
    return {};
  }));
  const auto last = std::ranges::max_element(last_dates);
  if (last == last_dates.end() || !*last) {
    return not_found("there is no trade in {}", context.data_dir.string());
  }
  return **last;
}

}  // namespace tapeworks
