#pragma once

#include <optional>
#include <string_view>

#include "base/calendar_day.h"

namespace tapeworks {

/// The one day that the name of a per-day file says: 20230103, 2023-01-03 or 2023_01_03 between
/// characters that are no digits. Nothing for a name without such a day, or with two different
/// ones.
std::optional<Day> date_in_name(std::string_view file_name);

}  // namespace tapeworks
