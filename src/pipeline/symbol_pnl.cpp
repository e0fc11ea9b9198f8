#include "pipeline/symbol_pnl.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

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
  const bool is_long = lots.is_long();
  lots.for_each_open([&](const Lot& lot) {
    out.push_back({.broker_index = broker_index,
                   .is_long = is_long,
                   .shares = lot.shares,
                   .cost_per_share = lot.cost_per_share,
                   .open_date = lot.open_date});
  });
}

/// The default mode. An account costs its own rows: dates on which it does not trade enter only
/// through sums that belong to the symbol, except for the rows of pnl_daily.
class DefaultPnl {
 public:
  DefaultPnl(const DailySummary& summary, const SymbolDays& days, const PnlOptions& options,
             PnlStates& states)
      : summary_(summary), days_(days), options_(options), from_(states.from) {
    const std::span series = std::span(days.day_return).subspan(days.start_index);
    later_returns_ = sum_of_later_returns(series);
    next_return_.assign(days.count(), 0.0);
    for (size_t i = 1; i < days.count(); ++i) next_return_[i - 1] = days.day_return[i];
    for (const Day day : states.save_days) {
      const Day last = last_trade_date(day);
      const bool is_new = from_ == nullptr || day > from_->day;
      if (last == kNullDay || !is_new || day > options.as_of) continue;
      states.saved.push_back({.day = day, .accounts = {}});
      save_points_.push_back({last, states.saved.size() - 1});
    }
    saved_ = &states.saved;
  }

  AccountPnl add_account(AccountRows rows, SymbolPnl& out) {
    lots_.clear();
    next_daily_index_ = 0;
    while (rows.end > rows.begin && summary_.date[rows.end - 1] > options_.as_of) --rows.end;

    AccountPnl account{.broker_index = rows.broker_index};
    if (rows.end > rows.begin) account.last_trade_date = summary_.date[rows.end - 1];
    AccountRun run;
    run.row = rows.begin;
    if (from_ != nullptr) restore(rows, run);
    for (const SavePoint& point : save_points_) save(point, rows, run, out);
    advance(rows, kLastDay, run, out);

    account.opening_unrealized_pnl = run.opening_unrealized_pnl;
    account.realized_pnl = run.realized.value();
    account.total_buy_amount = run.buy.value();
    account.total_sell_amount = run.sell.value();
    const auto [alpha, score] = run.timing.result(days_.series_length(), later_returns_);
    account.timing_alpha = alpha;
    account.timing_score = score;
    value_open_lots(account);
    account.has_open_lots = !lots_.empty();
    if (options_.daily) fill_daily_until(days_.count(), rows.broker_index, out);
    append_open_lots(lots_, rows.broker_index, out.lots);
    return account;
  }

  /// After the last account: whether the state that was begun from was one of these rows.
  bool state_fitted() const {
    return state_fitted_ && (from_ == nullptr || next_state_ == from_->accounts.size());
  }

 private:
  static constexpr Day kLastDay{std::numeric_limits<int32_t>::max()};

  /// How far the rows of an account have been counted.
  struct AccountRun {
    size_t row = 0;  ///< the next one
    bool has_started = false;
    double opening_unrealized_pnl = 0;
    DoubleDouble realized;
    DoubleDouble buy;
    DoubleDouble sell;
    TimingSums timing;
    // Several days may have the same last trade date before them.
    Day saved_trade_date = kNullDay;
    TimingSums saved_timing;  ///< before saved_trade_date
  };
  struct SavePoint {
    Day last_trade_date;
    size_t index = 0;  ///< into PnlStates::saved
  };

  /// Of the symbol, up to `day`; kNullDay when there is none.
  Day last_trade_date(Day day) const {
    const std::vector<Day>& dates = days_.trade_dates.dates();
    const auto after = std::upper_bound(dates.begin(), dates.end(), day);
    return after == dates.begin() ? kNullDay : *(after - 1);
  }

  /// Trades the rows up to `last`, and counts those from PnlOptions::start on.
  void advance(const AccountRows& rows, Day last, AccountRun& run, SymbolPnl& out) {
    size_t end = run.row;
    while (end < rows.end && summary_.date[end] <= last) ++end;
    size_t begin = run.row;
    while (begin < end && summary_.date[begin] < options_.start) ++begin;
    trade({rows.broker_index, run.row, begin}, out, [](double) {});
    run.row = end;
    if (last < options_.start) return;
    if (!run.has_started) {
      run.has_started = true;
      run.opening_unrealized_pnl = unrealized(OpenPosition(lots_), days_.opening_price);
    }
    count({rows.broker_index, begin, end}, run, out);
  }

  /// Trades and counts rows. Works on copies of the sums, so that they stay in registers.
  void count(const AccountRows& rows, AccountRun& run, SymbolPnl& out) {
    DoubleDouble realized = run.realized;
    trade(rows, out, [&](double gain) { realized.add(gain); });
    run.realized = realized;

    DoubleDouble buy = run.buy;
    DoubleDouble sell = run.sell;
    TimingSums timing = run.timing;
    for (size_t row = rows.begin; row < rows.end; ++row) {
      buy.add(summary_.buy_amount[row]);
      sell.add(summary_.sell_amount[row]);
      add_timing(row, timing);
    }
    run.buy = buy;
    run.sell = sell;
    run.timing = timing;
  }

  void add_timing(size_t row, TimingSums& timing) const {
    timing.add(net_shares_of(summary_, row),
               next_return_[days_.trade_dates.index_of(summary_.date[row])]);
  }

  void save(const SavePoint& point, const AccountRows& rows, AccountRun& run, SymbolPnl& out) {
    SymbolState& state = (*saved_)[point.index];
    if (point.last_trade_date != run.saved_trade_date) {
      advance(rows, Day{point.last_trade_date.days_since_epoch - 1}, run, out);
      run.saved_trade_date = point.last_trade_date;
      run.saved_timing = run.timing;
    }
    advance(rows, state.day, run, out);
    if (run.row == rows.begin) return;
    const OpenPosition position(lots_);
    state.accounts.push_back({.open_shares = position.is_long ? position.shares : -position.shares,
                              .realized = run.realized,
                              .buy_amount = run.buy,
                              .sell_amount = run.sell,
                              .opening_unrealized_pnl = run.opening_unrealized_pnl,
                              .timing = run.saved_timing});
  }

  void restore(const AccountRows& rows, AccountRun& run) {
    const auto dates = std::span(summary_.date).subspan(rows.begin, rows.end - rows.begin);
    const auto after = std::upper_bound(dates.begin(), dates.end(), from_->day);
    run.row = rows.begin + static_cast<size_t>(after - dates.begin());
    if (run.row == rows.begin) return;
    if (next_state_ == from_->accounts.size()) {
      state_fitted_ = false;
      return;
    }
    const AccountState& state = from_->accounts[next_state_++];
    restore_lots(rows.begin, run.row, state.open_shares);
    run.saved_trade_date = last_trade_date(from_->day);
    run.saved_timing = state.timing;
    if (from_->day < options_.start) return;
    run.has_started = true;
    run.opening_unrealized_pnl = state.opening_unrealized_pnl;
    run.realized = state.realized;
    run.buy = state.buy_amount;
    run.sell = state.sell_amount;
    run.timing = state.timing;
    const Day newest = summary_.date[run.row - 1];
    if (newest == run.saved_trade_date && newest >= options_.start) {
      add_timing(run.row - 1, run.timing);
    }
  }

  /// The newest `open_shares` shares of their side among the rows [begin, end).
  void restore_lots(size_t begin, size_t end, int64_t open_shares) {
    const bool is_long = open_shares >= 0;
    int64_t missing = is_long ? open_shares : -open_shares;
    restored_.clear();
    for (size_t row = end; missing > 0 && row > begin; --row) {
      const DayTrade day = trade_of(summary_, row - 1);
      const int64_t shares = is_long ? day.buy_shares : day.sell_shares;
      if (shares <= 0) continue;
      const double amount = is_long ? day.buy_amount : day.sell_amount;
      const int64_t taken = std::min(shares, missing);
      restored_.push_back({taken, amount / static_cast<double>(shares), day.date});
      missing -= taken;
    }
    if (missing != 0) state_fitted_ = false;
    std::reverse(restored_.begin(), restored_.end());
    lots_.restore(is_long, restored_);
  }

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
  void trade(const AccountRows& rows, SymbolPnl& out, OnRealized on_realized) {
    if (!options_.daily && !options_.ledger) {
      const auto trade_at = [&](size_t row) { return trade_of(summary_, row); };
      lots_.trade(rows.begin, rows.end, trade_at, on_realized);
      return;
    }
    for (size_t row = rows.begin; row < rows.end; ++row) {
      trade_and_tell(row, rows.broker_index, out, on_realized);
    }
  }

  /// One row, and what its day is told in pnl_daily and in the ledger.
  template <typename OnRealized>
  void trade_and_tell(size_t row, uint32_t broker_index, SymbolPnl& out, OnRealized& on_realized) {
    const size_t index = days_.trade_dates.index_of(summary_.date[row]);
    if (options_.daily) fill_daily_until(index, broker_index, out);
    DoubleDouble day_realized;
    lots_.trade(trade_of(summary_, row), [&](double gain) {
      on_realized(gain);
      day_realized.add(gain);
    });
    const OpenPosition position(lots_);
    if (options_.ledger) {
      append_ledger_row(row, broker_index, day_realized.value(), position, out);
    }
    if (!options_.daily) return;
    append_daily(index, broker_index, day_realized.value(), position, out);
    next_daily_index_ = index + 1;
  }

  void append_ledger_row(size_t row, uint32_t broker_index, double realized,
                         const OpenPosition& position, SymbolPnl& out) const {
    out.ledger.push_back({.broker_index = broker_index,
                          .date = summary_.date[row],
                          .position = position.is_long ? position.shares : -position.shares,
                          .cost = position.cost.value(),
                          .realized_pnl = realized,
                          .buy_amount = summary_.buy_amount[row],
                          .sell_amount = summary_.sell_amount[row]});
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

  const SymbolState* from_;  ///< null: nothing to restore
  size_t next_state_ = 0;    ///< into from_->accounts
  bool state_fitted_ = true;
  std::vector<Lot> restored_;
  std::vector<SavePoint> save_points_;
  std::vector<SymbolState>* saved_ = nullptr;
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
SymbolPnl run_accounts(Engine& engine, const DailySummary& summary, SymbolPnl out) {
  out.clear();
  out.accounts.reserve(summary.brokers.size());
  out.lots.reserve(summary.row_count());  // one a day at the most
  AccountRows rows;
  for (uint32_t broker = 0; broker < summary.brokers.size(); ++broker) {
    rows.broker_index = broker;
    rows.begin = rows.end;
    while (rows.end < summary.row_count() && summary.broker_index[rows.end] == broker) ++rows.end;
    out.accounts.push_back(engine.add_account(rows, out));
  }
  return out;
}

TW_HOT_FMA SymbolPnl run_default_accounts(DefaultPnl& engine, const DailySummary& summary,
                                          SymbolPnl used) {
  return run_accounts(engine, summary, std::move(used));
}

}  // namespace

Result<SymbolPnl> compute_symbol_pnl(const DailySummary& summary, const PriceSeries& prices,
                                     const PnlOptions& options, SymbolPnl&& used) {
  if (!is_compat(options.mode)) {
    PnlStates none;
    return compute_symbol_pnl(summary, prices, options, none, std::move(used));
  }
  TW_ASSIGN(const SymbolDays days, make_symbol_days(summary, prices, options));
  ReferencePnl engine(summary, days, options);
  return run_accounts(engine, summary, std::move(used));
}

Result<SymbolPnl> compute_symbol_pnl(const DailySummary& summary, const PriceSeries& prices,
                                     const PnlOptions& options, PnlStates& states,
                                     SymbolPnl&& used) {
  TW_ASSIGN(const SymbolDays days, make_symbol_days(summary, prices, options));
  DefaultPnl engine(summary, days, options, states);
  SymbolPnl pnl = run_default_accounts(engine, summary, std::move(used));
  if (!engine.state_fitted()) {
    return internal_error("symbol {}: the state of {} is not one of its rows", summary.symbol,
                          to_string(states.from->day));
  }
  return pnl;
}

}  // namespace tapeworks
