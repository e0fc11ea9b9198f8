#include "pipeline/market_dates.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/messages.h"

namespace tapeworks {
namespace {

constexpr double kDatesWithoutCloseWarned = 0.01;

}  // namespace

void MarketDates::add(const DailySummary& summary) {
  // A null date is no date to miss a close on.
  Day first = kNullDay;
  Day last = kNullDay;
  for (const Day day : summary.date) {
    if (day == kNullDay) continue;
    first = first == kNullDay ? day : std::min(first, day);
    last = std::max(last, day);
  }
  if (first == kNullDay) return;
  const int64_t base = first.days_since_epoch;
  std::vector<bool> seen(static_cast<size_t>(last.days_since_epoch - base) + 1);
  for (const Day day : summary.date) {
    if (day != kNullDay) seen[static_cast<size_t>(day.days_since_epoch - base)] = true;
  }
  const std::scoped_lock lock(mutex_);
  for (size_t i = 0; i < seen.size(); ++i) {
    if (seen[i]) days_.insert(Day{first.days_since_epoch + static_cast<int32_t>(i)});
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
