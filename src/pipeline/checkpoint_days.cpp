#include "pipeline/checkpoint_days.h"

#include <chrono>

namespace tapeworks {

std::vector<Day> checkpoint_days(Day as_of) {
  using std::chrono::days, std::chrono::months, std::chrono::sys_days, std::chrono::year_month_day;
  const auto last_day_of = [](std::chrono::year_month month) {
    const sys_days end = sys_days{month / std::chrono::last};
    return Day{static_cast<int32_t>(end.time_since_epoch().count())};
  };
  const year_month_day today{sys_days{days{as_of.days_since_epoch}}};
  auto newest = today.year() / today.month();
  if (last_day_of(newest) > as_of) newest -= months{1};
  const auto before = newest - months{1};
  // The end of the year before the month ends above.
  const auto year_end = (before.year() - std::chrono::years{1}) / std::chrono::December;
  return {last_day_of(year_end), last_day_of(before), last_day_of(newest)};
}

}  // namespace tapeworks
