#include "recorder/net/clock_script.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>
#include <sstream>

#include "base/units.h"

namespace tapeworks::net {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kSpeedMax = 10'000;
/// A thousand years.
constexpr double kSecondsMax = 3.2e10;
constexpr size_t kFileBytesMax = 65'536;

std::optional<int64_t> nanoseconds_of_seconds(const std::string& text) {
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (!(seconds >= 0 && seconds <= kSecondsMax)) return std::nullopt;
  return std::llround(seconds * 1e6) * 1'000;
}

std::optional<int64_t> nanoseconds_of_duration(std::string_view text) {
  const bool is_back = text.starts_with('-');
  const auto duration = parse_duration(is_back ? text.substr(1) : text);
  if (!duration || duration->count() > static_cast<int64_t>(kSecondsMax)) return std::nullopt;
  return std::chrono::nanoseconds(*duration).count() * (is_back ? -1 : 1);
}

}  // namespace

Result<ClockScript> ClockScript::parse(std::string_view text, const std::string& file_name) {
  ClockScript script;
  bool has_begin = false;
  bool has_anchor = false;
  std::istringstream lines{std::string(text)};
  std::string line;
  for (size_t number = 1; std::getline(lines, line); ++number) {
    std::istringstream words(line.substr(0, line.find('#')));
    const std::vector<std::string> word{std::istream_iterator<std::string>(words), {}};
    if (word.empty()) continue;
    const auto wrong = [&] {
      return invalid_argument(
          "{}:{}: a script of a clock has the lines 'begin SECONDS', 'anchor SECONDS', 'speed N' "
          "up "
          "to {} and 'at DURATION wall DURATION'",
          file_name, number, kSpeedMax);
    };
    if (word[0] == "at" && word.size() == 4 && word[2] == "wall") {
      const auto at_ns = nanoseconds_of_duration(word[1]);
      const auto shift_ns = nanoseconds_of_duration(word[3]);
      if (!at_ns || *at_ns < 0 || !shift_ns) return wrong();
      script.steps_.push_back({*at_ns, *shift_ns});
      continue;
    }
    const auto value_ns = word.size() == 2 ? nanoseconds_of_seconds(word[1]) : std::nullopt;
    if (!value_ns) return wrong();
    if (word[0] == "begin") {
      script.begin_ns_ = *value_ns;
      has_begin = true;
    } else if (word[0] == "anchor") {
      script.anchor_ns_ = *value_ns;
      has_anchor = true;
    } else if (word[0] == "speed" && *value_ns >= kSecondNs && *value_ns / kSecondNs <= kSpeedMax) {
      script.speed_ = *value_ns / kSecondNs;
    } else {
      return wrong();
    }
  }
  if (has_begin && has_anchor) return script;
  return invalid_argument("{}: the script of a clock needs the lines 'begin' and 'anchor'",
                          file_name);
}

Result<ClockScript> ClockScript::read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kFileBytesMax, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.gcount() == 0) {
    return invalid_argument("{}: the script of the clock cannot be read", path.string());
  }
  text.resize(static_cast<size_t>(file.gcount()));
  return parse(text, path.string());
}

ClockReading ClockScript::at(const ClockReading& machine) const {
  const int64_t room = std::numeric_limits<int64_t>::max() / 4 / speed_;
  const int64_t passed_ns = std::clamp(machine.wall_ns - anchor_ns_, -room, room) * speed_;
  ClockReading reading{begin_ns_ + passed_ns, passed_ns};
  for (const Step& step : steps_) {
    if (step.at_ns <= passed_ns) reading.wall_ns += step.shift_ns;
  }
  return reading;
}

}  // namespace tapeworks::net
