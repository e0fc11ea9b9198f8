#include "pipeline/window_accounts.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string_view>

#include <arrow/array.h>
#include <arrow/table.h>

#include "base/double_double.h"
#include "base/run_stats.h"
#include "pipeline/symbol_days.h"
#include "pipeline/symbol_pnl.h"
#include "storage/parquet_read.h"

namespace tapeworks {
namespace {

/// Per broker of the summary: whether it traded inside the window, and its net shares.
struct WindowTrades {
  std::vector<bool> traded;
  std::vector<int64_t> net_shares;

  WindowTrades(const DailySummary& summary, DayWindow window)
      : traded(summary.brokers.size()), net_shares(summary.brokers.size()) {
    for (size_t row = 0; row < summary.row_count(); ++row) {
      if (summary.date[row] < window.from || summary.date[row] > window.to) continue;
      const uint32_t broker = summary.broker_index[row];
      traded[broker] = true;
      net_shares[broker] += int64_t{summary.buy_shares[row]} - summary.sell_shares[row];
    }
  }
};

/// What an account holds: a row of the ledger, or nothing before its first one.
struct Holding {
  int64_t position = 0;
  double cost = 0;

  double level(double close) const {
    if (std::isnan(close)) return 0;
    DoubleDouble gain;
    gain.add_product(static_cast<double>(position), close);
    gain.add(position < 0 ? cost : -cost);
    return gain.value();
  }
};

/// The columns of a file of position_ledger.
class LedgerColumns {
 public:
  static Result<LedgerColumns> of(const arrow::Table& table, const std::string& where) {
    LedgerColumns columns;
    TW_ASSIGN(columns.broker_, column<arrow::DictionaryArray>(table, "broker", where));
    if (columns.broker_->dictionary()->type_id() != arrow::Type::STRING ||
        columns.broker_->indices()->type_id() != arrow::Type::INT32) {
      return corrupt("{}: column 'broker' is of no type that a ledger has", where);
    }
    TW_ASSIGN(columns.date_, column<arrow::Date32Array>(table, "date", where));
    TW_ASSIGN(columns.position_, column<arrow::Int64Array>(table, "position", where));
    TW_ASSIGN(columns.cost_, column<arrow::DoubleArray>(table, "cost", where));
    TW_ASSIGN(columns.realized_, column<arrow::DoubleArray>(table, "realized_pnl", where));
    TW_ASSIGN(columns.buy_, column<arrow::DoubleArray>(table, "buy_amount", where));
    TW_ASSIGN(columns.sell_, column<arrow::DoubleArray>(table, "sell_amount", where));
    return columns;
  }

  int64_t row_count() const { return date_->length(); }
  int32_t broker_code(int64_t row) const {
    return static_cast<const arrow::Int32Array&>(*broker_->indices()).Value(row);
  }
  std::string_view broker(int64_t row) const {
    return static_cast<const arrow::StringArray&>(*broker_->dictionary()).GetView(broker_code(row));
  }
  Day date(int64_t row) const { return Day{date_->Value(row)}; }
  Holding holding(int64_t row) const { return {position_->Value(row), cost_->Value(row)}; }
  double realized(int64_t row) const { return realized_->Value(row); }
  double buy_amount(int64_t row) const { return buy_->Value(row); }
  double sell_amount(int64_t row) const { return sell_->Value(row); }

 private:
  template <typename ArrayType>
  static Result<std::shared_ptr<ArrayType>> column(const arrow::Table& table, const char* name,
                                                   const std::string& where) {
    const auto found = table.GetColumnByName(name);
    if (found == nullptr || found->type()->id() != ArrayType::TypeClass::type_id ||
        found->null_count() != 0 || found->num_chunks() != 1) {
      return corrupt("{}: column '{}' is not what a ledger has", where, name);
    }
    return std::static_pointer_cast<ArrayType>(found->chunk(0));
  }

  std::shared_ptr<arrow::DictionaryArray> broker_;
  std::shared_ptr<arrow::Date32Array> date_;
  std::shared_ptr<arrow::Int64Array> position_;
  std::shared_ptr<arrow::DoubleArray> cost_;
  std::shared_ptr<arrow::DoubleArray> realized_;
  std::shared_ptr<arrow::DoubleArray> buy_;
  std::shared_ptr<arrow::DoubleArray> sell_;
};

/// Closes at which the holdings before and at the end of a window are valued.
struct WindowCloses {
  double opening;
  double closing;
};

/// The account of the rows [begin, end), which ascend by date; nothing when there is nothing to
/// tell of it.
std::optional<WindowAccount> account_of(const LedgerColumns& ledger, int64_t begin, int64_t end,
                                        DayWindow window, WindowCloses closes) {
  int64_t row = begin;
  Holding opening;
  for (; row < end && ledger.date(row) < window.from; ++row) opening = ledger.holding(row);
  Holding closing = opening;
  const int64_t first_inside = row;
  DoubleDouble realized;
  DoubleDouble buy;
  DoubleDouble sell;
  for (; row < end && ledger.date(row) <= window.to; ++row) {
    closing = ledger.holding(row);
    realized.add(ledger.realized(row));
    buy.add(ledger.buy_amount(row));
    sell.add(ledger.sell_amount(row));
  }
  const double change = closing.level(closes.closing) - opening.level(closes.opening);
  if (row == first_inside && change == 0) return std::nullopt;
  return WindowAccount{.broker = std::string(ledger.broker(begin)),
                       .realized_pnl = realized.value(),
                       .unrealized_change = change,
                       .buy_amount = buy.value(),
                       .sell_amount = sell.value(),
                       .net_shares = closing.position - opening.position};
}

}  // namespace

Result<std::vector<WindowAccount>> window_accounts(const DailySummary& summary,
                                                   const PriceSeries& closes, DayWindow window) {
  const PnlOptions options{.mode = Mode::kDefault, .start = window.from, .as_of = window.to};
  TW_ASSIGN(const SymbolPnl pnl, compute_symbol_pnl(summary, closes, options));
  const WindowTrades trades(summary, window);
  std::vector<WindowAccount> accounts;
  for (const AccountPnl& account : pnl.accounts) {
    const uint32_t index = account.broker_index;
    const double change = account.unrealized_pnl - account.opening_unrealized_pnl;
    if (!trades.traded[index] && account.realized_pnl == 0 && change == 0) continue;
    const bool is_null = summary.has_null_broker && index == 0;
    accounts.push_back({is_null ? std::nullopt : std::optional(summary.brokers[index]),
                        account.realized_pnl, change, account.total_buy_amount,
                        account.total_sell_amount, trades.net_shares[index]});
  }
  return accounts;
}

Result<std::vector<WindowAccount>> ledger_window_accounts(const std::filesystem::path& path,
                                                          const PriceSeries& closes,
                                                          DayWindow window,
                                                          arrow::MemoryPool* pool) {
  std::vector<WindowAccount> accounts;
  TW_ASSIGN(const auto read, read_parquet(path, {}, pool));
  add_run_rows(static_cast<uint64_t>(read->num_rows()));
  if (read->num_rows() == 0) return accounts;
  const auto combined = read->CombineChunks(pool);
  if (!combined.ok()) return over_budget("{}: {}", path.string(), combined.status().message());
  TW_ASSIGN(const LedgerColumns ledger, LedgerColumns::of(**combined, path.string()));
  const PriceSeries known = known_closes(closes, /*zero_is_close=*/false);
  const WindowCloses at{last_close(known, window.from, /*inclusive=*/false),
                        last_close(known, window.to, /*inclusive=*/true)};
  int64_t begin = 0;
  while (begin < ledger.row_count()) {
    int64_t end = begin + 1;
    while (end < ledger.row_count() && ledger.broker_code(end) == ledger.broker_code(begin)) ++end;
    if (auto account = account_of(ledger, begin, end, window, at)) {
      accounts.push_back(std::move(*account));
    }
    begin = end;
  }
  return accounts;
}

}  // namespace tapeworks
