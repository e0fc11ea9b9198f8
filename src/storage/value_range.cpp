#include "storage/value_range.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/hot_loop.h"

namespace tapeworks {
namespace {

/// Of at least one value.
template <typename Integer>
inline ValueRange<Integer> integer_range(std::span<const Integer> values) {
  ValueRange<Integer> range{values[0], values[0]};
  for (const Integer value : values) {
    range.least = std::min(range.least, value);
    range.most = std::max(range.most, value);
  }
  return range;
}

TW_HOT_LOOP ValueRange<int32_t> full_range(std::span<const int32_t> values) {
  return integer_range(values);
}
TW_HOT_LOOP ValueRange<int64_t> full_range(std::span<const int64_t> values) {
  return integer_range(values);
}
TW_HOT_LOOP ValueRange<uint64_t> full_range(std::span<const uint64_t> values) {
  return integer_range(values);
}
TW_HOT_LOOP ValueRange<uint32_t> full_range(std::span<const uint32_t> values) {
  return integer_range(values);
}

/// The bits of a floating-point number as an integer of the same order, and back: those of negative
/// numbers are turned over. NaNs lie beyond the infinities.
template <typename Integer>
constexpr Integer turn_over(Integer bits) {
  return bits ^ ((bits >> (8 * sizeof bits - 1)) & std::numeric_limits<Integer>::max());
}

template <typename Integer, typename Real>
inline ValueRange<Integer> ordered_bits_range(std::span<const Real> values) {
  ValueRange<Integer> range{std::numeric_limits<Integer>::max(),
                            std::numeric_limits<Integer>::min()};
  for (const Real value : values) {
    const Integer ordered = turn_over(std::bit_cast<Integer>(value));
    range.least = std::min(range.least, ordered);
    range.most = std::max(range.most, ordered);
  }
  return range;
}

TW_HOT_LOOP ValueRange<int32_t> bits_range(std::span<const float> values) {
  return ordered_bits_range<int32_t>(values);
}
TW_HOT_LOOP ValueRange<int64_t> bits_range(std::span<const double> values) {
  return ordered_bits_range<int64_t>(values);
}

template <typename Real>
std::optional<ValueRange<Real>> range_without_nan(std::span<const Real> values) {
  std::optional<ValueRange<Real>> range;
  for (const Real value : values) {
    if (std::isnan(value)) continue;
    if (!range) range = ValueRange<Real>{value, value};
    range->least = std::min(range->least, value);
    range->most = std::max(range->most, value);
  }
  return range;
}

template <typename Real>
std::optional<ValueRange<Real>> real_range(std::span<const Real> values) {
  if (values.empty()) return std::nullopt;
  const auto bits = bits_range(values);
  const ValueRange<Real> range{std::bit_cast<Real>(turn_over(bits.least)),
                               std::bit_cast<Real>(turn_over(bits.most))};
  if (std::isnan(range.least) || std::isnan(range.most)) return range_without_nan(values);
  return range;
}

}  // namespace

std::optional<ValueRange<int32_t>> range_of(std::span<const int32_t> values) {
  return values.empty() ? std::nullopt : std::optional(full_range(values));
}
std::optional<ValueRange<uint32_t>> range_of(std::span<const uint32_t> values) {
  return values.empty() ? std::nullopt : std::optional(full_range(values));
}
std::optional<ValueRange<uint64_t>> range_of(std::span<const uint64_t> values) {
  return values.empty() ? std::nullopt : std::optional(full_range(values));
}
std::optional<ValueRange<int64_t>> range_of(std::span<const int64_t> values) {
  return values.empty() ? std::nullopt : std::optional(full_range(values));
}
std::optional<ValueRange<float>> range_of(std::span<const float> values) {
  return real_range(values);
}
std::optional<ValueRange<double>> range_of(std::span<const double> values) {
  return real_range(values);
}

}  // namespace tapeworks
