#include "pipeline/market_dates.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/messages.h"

namespace tapeworks {
namespace {

constexpr double kDatesWithoutCloseWarned = 0.01;

}  // namespace

void MarketDates::add(const DailySummary& summary) {
  if (summary.date.empty()) return;
  // A null date, the least of all, is no date to miss a close on.
  Day first{std::numeric_limits<int32_t>::max()};
  Day last = kNullDay;
  for (const Day day : summary.date) {
    first = std::min(first, day == kNullDay ? first : day);
    last = std::max(last, day);
  }
  if (last == kNullDay) return;
  const int64_t base = first.days_since_epoch;
  std::vector<uint8_t> seen(static_cast<size_t>(last.days_since_epoch - base) + 1);
  for (const Day day : summary.date) {
    if (day != kNullDay) seen[static_cast<size_t>(day.days_since_epoch - base)] = 1;
  }
  const std::scoped_lock lock(mutex_);
  for (size_t i = 0; i < seen.size(); ++i) {
    if (seen[i] != 0) days_.insert(Day{first.days_since_epoch + static_cast<int32_t>(i)});
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
