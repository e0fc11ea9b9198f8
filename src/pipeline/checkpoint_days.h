#pragma once

#include <vector>

#include "base/calendar_day.h"

namespace tapeworks {

/// The days at whose end states of P&L are kept, ascending: the last two ends of a month up to
/// `as_of`, and the last end of a year before them. A daily delivery goes on from the newest, a
/// correction in the last weeks from the one before, one of this year from the oldest.
std::vector<Day> checkpoint_days(Day as_of);

}  // namespace tapeworks
