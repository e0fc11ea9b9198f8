#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/calendar_day.h"
#include "base/result.h"
#include "pipeline/close_prices.h"
#include "pipeline/daily_summary.h"
#include "pipeline/symbol_pnl.h"

namespace tapeworks {

/// Finds the position of a trade date: by a table when the dates lie close together, as they do,
/// otherwise by bisection, so that one stray date cannot ask for gigabytes.
class TradeDates {
 public:
  /// The distinct dates of `summary` up to `last`, whoever traded.
  TradeDates(const DailySummary& summary, Day last);

  const std::vector<Day>& dates() const { return dates_; }
  /// `day` must be one of dates().
  size_t index_of(Day day) const {
    if (!position_.empty()) return position_[day.days_since_epoch - first_.days_since_epoch];
    return index_by_bisection(day);
  }

 private:
  size_t index_by_bisection(Day day) const;

  Day first_;
  std::vector<uint32_t> position_;  ///< by day since first_
  std::vector<Day> dates_;
};

/// The closes of one symbol laid out beside its trade dates, once for all of its accounts.
///
/// A price of NaN means that nothing is known yet; compat modes say 0 instead, as the reference.
struct SymbolDays {
  TradeDates trade_dates;
  /// Index of the first trade date on or after PnlOptions::start; the timing series begins there.
  size_t start_index = 0;
  /// Per trade date: its close, or what the mode takes when there is none.
  std::vector<double> price = {};
  /// Per trade date: the return of the symbol to this date from the close before; 0 when missing.
  std::vector<double> day_return = {};
  double valuation_price = 0;  ///< of the lots that are open at the end
  double opening_price = 0;    ///< last close before the start; default mode only

  size_t count() const { return trade_dates.dates().size(); }
  size_t series_length() const { return count() - start_index; }
};

/// The series without its entries that are no close. In compat modes a zero is one.
PriceSeries known_closes(const PriceSeries& prices, bool zero_is_close);

/// The last close before `day`, or on it with `inclusive`; NaN when there is none.
double last_close(const PriceSeries& closes, Day day, bool inclusive);

/// Errors: kCorrupt for a null date, or in Mode::kCompatV1 for a null close that the reference
/// would have looked at: on a trade date, or as one end of a return.
Result<SymbolDays> make_symbol_days(const DailySummary& summary, const PriceSeries& prices,
                                    const PnlOptions& options);

}  // namespace tapeworks
