#include "base/calendar_day.h"

#include <chrono>

#include <fmt/format.h>

namespace tapeworks {
namespace {

std::chrono::year_month_day civil(Day day) {
  return std::chrono::year_month_day{
      std::chrono::sys_days{std::chrono::days{day.days_since_epoch}}};
}

Day from_ymd(std::chrono::year_month_day ymd) {
  return Day{static_cast<int32_t>(std::chrono::sys_days{ymd}.time_since_epoch().count())};
}

std::optional<unsigned> parse_digits(std::string_view text) {
  unsigned value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value;
}

}  // namespace

std::string to_string(Day day) {
  if (day == kNullDay) return "null";
  const auto ymd = civil(day);
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(ymd.year()),
                     static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()));
}

std::string to_compact_string(Day day) {
  const auto ymd = civil(day);
  return fmt::format("{:04}{:02}{:02}", static_cast<int>(ymd.year()),
                     static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()));
}

std::optional<Day> parse_day(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto year = parse_digits(text.substr(0, 4));
  const auto month = parse_digits(text.substr(5, 2));
  const auto day = parse_digits(text.substr(8, 2));
  if (!year || !month || !day) return std::nullopt;
  const std::chrono::year_month_day ymd{std::chrono::year{static_cast<int>(*year)},
                                        std::chrono::month{*month}, std::chrono::day{*day}};
  if (!ymd.ok()) return std::nullopt;
  return from_ymd(ymd);
}

Day day_from_civil(int year, unsigned month, unsigned day_of_month) {
  return from_ymd(
      {std::chrono::year{year}, std::chrono::month{month}, std::chrono::day{day_of_month}});
}

Day years_before(Day day, int years) {
  auto ymd = civil(day) - std::chrono::years{years};
  if (!ymd.ok()) ymd = ymd.year() / std::chrono::February / 28;
  return from_ymd(ymd);
}

}  // namespace tapeworks
