#include "pipeline/market_dates.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/messages.h"
#include "pipeline/symbol_days.h"

namespace tapeworks {
namespace {

constexpr double kDatesWithoutCloseWarned = 0.01;

}  // namespace

void MarketDates::add(const DailySummary& summary) {
  add(TradeDates(summary, Day{std::numeric_limits<int32_t>::max()}).dates());
}

void MarketDates::add(std::span<const Day> days) {
  const std::scoped_lock lock(mutex_);
  for (const Day day : days) {
    // A null date is no date to miss a close on.
    if (day != kNullDay) days_.insert(day);
  }
}

void MarketDates::warn_about_missing(const ClosePrices& prices) const {
  std::set<Day> priced;
  for (const auto& [symbol, series] : prices.by_symbol()) {
    priced.insert(series.date.begin(), series.date.end());
  }
  const auto missing = static_cast<size_t>(
      std::ranges::count_if(days_, [&](Day day) { return !priced.contains(day); }));
  if (static_cast<double>(missing) > kDatesWithoutCloseWarned * static_cast<double>(days_.size())) {
    warn("{} of {} trade dates are no dates of the prices; is the day rule right (--day-zone)?",
         missing, days_.size());
  }
}

}  // namespace tapeworks
