#include "pipeline/date_in_name.h"

#include <string>

namespace tapeworks {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The day that is written at the beginning of `text`, and by how many characters.
struct WrittenDay {
  Day day;
  size_t length = 0;
};

std::optional<WrittenDay> day_at(std::string_view text) {
  constexpr size_t kCompactLength = 8;
  constexpr size_t kLongLength = 10;
  for (const size_t length : {kLongLength, kCompactLength}) {
    if (text.size() < length || (text.size() > length && is_digit(text[length]))) continue;
    std::string written(text.substr(0, length));
    if (length == kCompactLength) {
      written.insert(6, "-").insert(4, "-");
    } else if (text[4] == '_' && text[7] == '_') {
      written[4] = written[7] = '-';
    }
    if (const auto day = parse_day(written)) return WrittenDay{*day, length};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Day> date_in_name(std::string_view file_name) {
  std::optional<Day> found;
  for (size_t i = 0; i < file_name.size(); ++i) {
    if (i > 0 && is_digit(file_name[i - 1])) continue;
    const auto written = day_at(file_name.substr(i));
    if (!written) continue;
    if (found && *found != written->day) return std::nullopt;
    found = written->day;
    i += written->length - 1;
  }
  return found;
}

}  // namespace tapeworks
