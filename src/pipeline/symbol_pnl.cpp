#include "pipeline/symbol_pnl.h"

#include <cmath>
#include <span>

#include "base/double_double.h"
#include "base/hot_loop.h"
#include "pipeline/fifo_lots.h"
#include "pipeline/symbol_days.h"
#include "pipeline/timing.h"

namespace tapeworks {
namespace {

/// A day on which an account neither earned nor holds anything has no row.
void append_daily_row(uint32_t broker_index, Day date, double realized, double unrealized,
                      SymbolPnl& out) {
  if (realized == 0 && unrealized == 0) return;
  out.daily.push_back({.broker_index = broker_index,
                       .date = date,
                       .realized_pnl = realized,
                       .unrealized_pnl = unrealized});
}

/// The rows [begin, end) of a summary: one account.
struct AccountRows {
  uint32_t broker_index = 0;
  size_t begin = 0;
  size_t end = 0;
};

DayTrade trade_of(const DailySummary& summary, size_t row) {
  return {.date = summary.date[row],
          .buy_shares = summary.buy_shares[row],
          .sell_shares = summary.sell_shares[row],
          .buy_amount = summary.buy_amount[row],
          .sell_amount = summary.sell_amount[row]};
}

int64_t net_shares_of(const DailySummary& summary, size_t row) {
  return int64_t{summary.buy_shares[row]} - summary.sell_shares[row];
}

void append_open_lots(const FifoLots& lots, uint32_t broker_index, std::vector<OpenLot>& out) {
  for (const Lot& lot : lots.open()) {
    out.push_back({.broker_index = broker_index,
                   .is_long = lots.is_long(),
                   .shares = lot.shares,
                   .cost_per_share = lot.cost_per_share,
                   .open_date = lot.open_date});
  }
}

/// The default mode. An account costs its own rows: dates on which it does not trade enter only
/// through sums that belong to the symbol, except for the rows of pnl_daily.
class DefaultPnl {
 public:
  DefaultPnl(const DailySummary& summary, const SymbolDays& days, const PnlOptions& options)
      : summary_(summary), days_(days), options_(options) {
    const std::span series = std::span(days.day_return).subspan(days.start_index);
    later_returns_ = sum_of_later_returns(series);
    next_return_.assign(days.count(), 0.0);
    for (size_t i = 1; i < days.count(); ++i) next_return_[i - 1] = days.day_return[i];
  }

  AccountPnl add_account(AccountRows rows, SymbolPnl& out) {
    lots_.clear();
    next_daily_index_ = 0;
    while (rows.end > rows.begin && summary_.date[rows.end - 1] > options_.as_of) --rows.end;

    AccountPnl account{.broker_index = rows.broker_index};
    size_t row = rows.begin;
    for (; row < rows.end && summary_.date[row] < options_.start; ++row) {
      trade(row, rows.broker_index, out, [](double) {});
    }
    account.opening_unrealized_pnl = unrealized(OpenPosition(lots_), days_.opening_price);

    DoubleDouble realized;
    DoubleDouble buy;
    DoubleDouble sell;
    TimingSums timing;
    for (; row < rows.end; ++row) {
      trade(row, rows.broker_index, out, [&](double gain) { realized.add(gain); });
      buy.add(summary_.buy_amount[row]);
      sell.add(summary_.sell_amount[row]);
      timing.add(net_shares_of(summary_, row),
                 next_return_[days_.trade_dates.index_of(summary_.date[row])]);
    }
    account.realized_pnl = realized.value();
    account.total_buy_amount = buy.value();
    account.total_sell_amount = sell.value();
    const auto [alpha, score] = timing.result(days_.series_length(), later_returns_);
    account.timing_alpha = alpha;
    account.timing_score = score;
    value_open_lots(account);
    if (options_.daily) fill_daily_until(days_.count(), rows.broker_index, out);
    append_open_lots(lots_, rows.broker_index, out.lots);
    return account;
  }

 private:
  static double unrealized(const OpenPosition& position, double price) {
    return std::isnan(price) ? 0 : position.unrealized(price);
  }

  void value_open_lots(AccountPnl& account) const {
    const OpenPosition position(lots_);
    const double cost = position.cost.value();
    (position.is_long ? account.open_long_cost : account.open_short_cost) = cost;
    if (std::isnan(days_.valuation_price)) account.unpriced_cost = cost;
    account.unrealized_pnl = unrealized(position, days_.valuation_price);
    account.total_pnl = account.realized_pnl + account.unrealized_pnl;
  }

  template <typename OnRealized>
  void trade(size_t row, uint32_t broker_index, SymbolPnl& out, OnRealized on_realized) {
    if (!options_.daily) {
      lots_.trade(trade_of(summary_, row), on_realized);
      return;
    }
    const size_t index = days_.trade_dates.index_of(summary_.date[row]);
    fill_daily_until(index, broker_index, out);
    DoubleDouble day_realized;
    lots_.trade(trade_of(summary_, row), [&](double gain) {
      on_realized(gain);
      day_realized.add(gain);
    });
    append_daily(index, broker_index, day_realized.value(), OpenPosition(lots_), out);
    next_daily_index_ = index + 1;
  }

  /// The rows of the trade dates before `index` on which the account itself did not trade.
  void fill_daily_until(size_t index, uint32_t broker_index, SymbolPnl& out) {
    if (!lots_.empty()) {
      const OpenPosition position(lots_);
      for (size_t i = next_daily_index_; i < index; ++i) {
        append_daily(i, broker_index, 0, position, out);
      }
    }
    next_daily_index_ = index;
  }

  void append_daily(size_t index, uint32_t broker_index, double realized,
                    const OpenPosition& position, SymbolPnl& out) const {
    const double level = unrealized(position, days_.price[index]);
    append_daily_row(broker_index, days_.trade_dates.dates()[index], realized, level, out);
  }

  const DailySummary& summary_;
  const SymbolDays& days_;
  const PnlOptions& options_;
  DoubleDouble later_returns_;
  std::vector<double> next_return_;  ///< per trade date: the return to the one after it
  FifoLots lots_;
  size_t next_daily_index_ = 0;  ///< daily rows of the account are complete before this date
};

/// The compat modes: the reference's order of operations, plain sums, every date of the symbol.
class ReferencePnl {
 public:
  ReferencePnl(const DailySummary& summary, const SymbolDays& days, const PnlOptions& options)
      : summary_(summary),
        days_(days),
        options_(options),
        series_returns_(std::span(days.day_return).subspan(days.start_index)),
        net_shares_(days.series_length(), 0) {}

  AccountPnl add_account(AccountRows rows, SymbolPnl& out) {
    lots_.clear();
    next_daily_index_ = 0;
    AccountPnl account{.broker_index = rows.broker_index};
    for (size_t row = rows.begin; row < rows.end; ++row) add_row(row, account, out);
    if (options_.daily) fill_daily_until(days_.count(), rows.broker_index, out);

    account.unrealized_pnl = unrealized_by_lot(lots_, days_.valuation_price);
    account.total_pnl = account.realized_pnl + account.unrealized_pnl;
    account.timing_alpha = timing_of(rows);
    append_open_lots(lots_, rows.broker_index, out.lots);
    return account;
  }

 private:
  void add_row(size_t row, AccountPnl& account, SymbolPnl& out) {
    const size_t index = days_.trade_dates.index_of(summary_.date[row]);
    if (options_.daily) fill_daily_until(index, account.broker_index, out);
    double day_realized = 0;
    lots_.trade(trade_of(summary_, row), [&](double gain) { day_realized += gain; });
    if (index >= days_.start_index) {
      account.realized_pnl += day_realized;
      account.total_buy_amount += summary_.buy_amount[row];
      account.total_sell_amount += summary_.sell_amount[row];
    }
    if (options_.daily) append_daily(index, account.broker_index, day_realized, out);
    next_daily_index_ = index + 1;
  }

  double timing_of(AccountRows rows) {
    set_series(rows, /*clear=*/false);
    const double timing = options_.mode == Mode::kCompatV1
                              ? reference_timing_alpha(net_shares_, series_returns_)
                              : reference_timing_score(net_shares_, series_returns_);
    set_series(rows, /*clear=*/true);
    return timing;
  }

  /// Writes the account's net shares into the series of all dates, or takes them out again.
  void set_series(AccountRows rows, bool clear) {
    for (size_t row = rows.begin; row < rows.end; ++row) {
      const size_t index = days_.trade_dates.index_of(summary_.date[row]);
      if (index < days_.start_index) continue;
      net_shares_[index - days_.start_index] = clear ? 0 : net_shares_of(summary_, row);
    }
  }

  void fill_daily_until(size_t index, uint32_t broker_index, SymbolPnl& out) {
    if (!lots_.empty()) {
      for (size_t i = next_daily_index_; i < index; ++i) append_daily(i, broker_index, 0, out);
    }
    next_daily_index_ = index;
  }

  void append_daily(size_t index, uint32_t broker_index, double realized, SymbolPnl& out) const {
    const double level = unrealized_by_lot(lots_, days_.price[index]);
    append_daily_row(broker_index, days_.trade_dates.dates()[index], realized, level, out);
  }

  const DailySummary& summary_;
  const SymbolDays& days_;
  const PnlOptions& options_;
  std::span<const double> series_returns_;
  std::vector<int64_t> net_shares_;  ///< per date of the series; zeros between two accounts
  FifoLots lots_;
  size_t next_daily_index_ = 0;
};

template <typename Engine>
SymbolPnl run_accounts(const DailySummary& summary, const SymbolDays& days,
                       const PnlOptions& options) {
  Engine engine(summary, days, options);
  SymbolPnl out;
  out.accounts.reserve(summary.brokers.size());
  AccountRows rows;
  for (uint32_t broker = 0; broker < summary.brokers.size(); ++broker) {
    rows.broker_index = broker;
    rows.begin = rows.end;
    while (rows.end < summary.row_count() && summary.broker_index[rows.end] == broker) ++rows.end;
    out.accounts.push_back(engine.add_account(rows, out));
  }
  return out;
}

TW_HOT_FMA SymbolPnl run_default_accounts(const DailySummary& summary, const SymbolDays& days,
                                          const PnlOptions& options) {
  return run_accounts<DefaultPnl>(summary, days, options);
}

}  // namespace

Result<SymbolPnl> compute_symbol_pnl(const DailySummary& summary, const PriceSeries& prices,
                                     const PnlOptions& options) {
  TW_ASSIGN(const SymbolDays days, make_symbol_days(summary, prices, options));
  return is_compat(options.mode) ? run_accounts<ReferencePnl>(summary, days, options)
                                 : run_default_accounts(summary, days, options);
}

}  // namespace tapeworks
