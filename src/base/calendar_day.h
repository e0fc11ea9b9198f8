#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace tapeworks {

/// A calendar day: days since 1970-01-01 in the proleptic Gregorian calendar. It has no time zone;
/// whoever makes one from an instant decides the zone first.
struct Day {
  int32_t days_since_epoch = 0;

  auto operator<=>(const Day&) const = default;
};

/// Marks the absence of a date where a Day must stand (a null date in compat modes). Sorts first.
inline constexpr Day kNullDay{std::numeric_limits<int32_t>::min()};

/// The ends of what a date in a file may be: years of four digits.
inline constexpr Day kFirstDayOfYear0{-719'528};
inline constexpr Day kLastDayOfYear9999{2'932'896};

/// "2023-01-03"; years outside 0000..9999 are printed with their sign. kNullDay gives "null".
std::string to_string(Day day);

/// Parses exactly YYYY-MM-DD; nothing for any other text or a day that does not exist.
std::optional<Day> parse_day(std::string_view text);

Day day_from_civil(int year, unsigned month, unsigned day_of_month);

/// The same calendar day `years` earlier; 29 February becomes 28 February where there is none.
Day years_before(Day day, int years);

/// "20230103", as in the names of per-day files.
std::string to_compact_string(Day day);

}  // namespace tapeworks
