#include "base/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <span>

namespace tapeworks {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

/// A non-negative decimal number directly followed by the name of one of `units`.
Result<double> parse_with_unit(std::string_view text, std::span<const Unit> units,
                               std::string_view what, std::string_view example) {
  double number = 0;
  const auto [rest, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  const std::string_view unit_name{rest, static_cast<size_t>(text.data() + text.size() - rest)};
  if (error == std::errc{} && std::isfinite(number) && number >= 0) {
    for (const Unit& unit : units) {
      if (unit.name == unit_name) return number * unit.factor;
    }
  }
  return invalid_argument("'{}' is not a {} with its unit; write it like {}", text, what, example);
}

constexpr double kMaxBytes = 9.0e18;

}  // namespace

Result<uint64_t> parse_byte_size(std::string_view text) {
  static constexpr std::array<Unit, 10> kUnits{{{"B", 1},
                                                {"KiB", 1024.0},
                                                {"MiB", 1024.0 * 1024},
                                                {"GiB", 1024.0 * 1024 * 1024},
                                                {"TiB", 1024.0 * 1024 * 1024 * 1024},
                                                {"kB", 1e3},
                                                {"KB", 1e3},
                                                {"MB", 1e6},
                                                {"GB", 1e9},
                                                {"TB", 1e12}}};
  TW_ASSIGN(const double bytes, parse_with_unit(text, kUnits, "size", "512MiB or 2GiB"));
  if (bytes > kMaxBytes) return invalid_argument("the size '{}' is too large", text);
  return static_cast<uint64_t>(bytes);
}

std::string format_byte_size(uint64_t bytes) {
  static constexpr std::array<const char*, 5> kNames{"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < kNames.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.2f} {}", value, kNames[unit]);
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  static constexpr std::array<Unit, 5> kUnits{
      {{"ms", 1}, {"s", 1e3}, {"m", 60e3}, {"h", 3600e3}, {"d", 86400e3}}};
  TW_ASSIGN(const double ms, parse_with_unit(text, kUnits, "duration", "500ms, 30s or 1h"));
  if (ms > kMaxBytes) return invalid_argument("the duration '{}' is too long", text);
  return std::chrono::milliseconds{static_cast<int64_t>(ms)};
}

}  // namespace tapeworks
