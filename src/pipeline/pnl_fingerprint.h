#pragma once

#include <cstdint>
#include <vector>

#include "base/calendar_day.h"
#include "pipeline/close_prices.h"
#include "pipeline/daily_summary.h"
#include "pipeline/symbol_pnl.h"

namespace tapeworks {

/// Raised when the same rows, closes and options give other states, tables of P&L or fingerprints
/// than before: it is part of every fingerprint, so nothing that was computed by other rules is
/// gone on from.
inline constexpr uint32_t kPnlRulesVersion = 6;

/// XXH3-64 over the closes of a symbol up to a day.
uint64_t closes_fingerprint(const PriceSeries& prices, Day last);

/// What the states of a symbol's accounts at the end of some days were made from: all rows up to
/// the day with their brokers, the closes up to it, PnlOptions::start, and the rules. Two states
/// with the same fingerprint are the same.
///
/// Of an account counts the sum of its rows' hashes, whose dates differ: one pass gives it for all
/// days, and it does not depend on which other days were asked for. The dates must not
/// be null. `prices` must outlive the object. Threads: const members from any.
class StateFingerprints {
 public:
  /// `days` in any order, also more than once.
  StateFingerprints(const DailySummary& summary, const PriceSeries& prices,
                    const PnlOptions& options, std::vector<Day> days);

  /// `day` must be one of those that the object was made for.
  uint64_t up_to(Day day) const;

 private:
  const PriceSeries& prices_;
  Day start_;
  std::vector<Day> days_;             ///< ascending, distinct
  std::vector<uint64_t> rows_up_to_;  ///< by day: of all rows up to it
};

}  // namespace tapeworks
