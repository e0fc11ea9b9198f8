#pragma once

#include <cstdint>
#include <vector>

#include "base/calendar_day.h"
#include "pipeline/close_prices.h"
#include "pipeline/daily_summary.h"
#include "pipeline/symbol_pnl.h"

namespace tapeworks {

/// Raised when the same rows, closes and options give other states or tables of P&L than before: it
/// is part of every fingerprint, so nothing that was computed by other rules is gone on from.
inline constexpr uint32_t kPnlRulesVersion = 2;

/// XXH3-64 over the closes of a symbol up to a day.
uint64_t closes_fingerprint(const PriceSeries& prices, Day last);

/// What the states of a symbol's accounts were made from, for every day at once: all rows up to
/// that day with their brokers, the closes up to it, PnlOptions::start, and the rules. Two states
/// with the same fingerprint are the same.
///
/// Rows are hashed one by one and added up by date, so it takes one pass in the order of the file.
/// The dates must not be null. `prices` must outlive the object. Threads: const members from any.
class StateFingerprints {
 public:
  StateFingerprints(const DailySummary& summary, const PriceSeries& prices,
                    const PnlOptions& options);

  uint64_t up_to(Day day) const;

 private:
  const PriceSeries& prices_;
  Day start_;
  std::vector<Day> dates_;            ///< all trade dates, ascending
  std::vector<uint64_t> rows_up_to_;  ///< by date: of all rows up to it
};

}  // namespace tapeworks
