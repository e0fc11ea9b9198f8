#pragma once

#include <mutex>
#include <set>
#include <span>

#include "base/calendar_day.h"
#include "pipeline/close_prices.h"
#include "pipeline/daily_summary.h"

namespace tapeworks {

/// The dates on which anything was traded by anybody, to be compared with those of the closes.
/// Threads: add() from any; the rest from one, after the last add().
class MarketDates {
 public:
  void add(const DailySummary& summary);
  void add(std::span<const Day> days);

  /// Warns when the dates for which no symbol has a close are too many to be chance.
  void warn_about_missing(const ClosePrices& prices) const;

 private:
  std::mutex mutex_;
  std::set<Day> days_;  // guarded by mutex_ while threads add
};

}  // namespace tapeworks
