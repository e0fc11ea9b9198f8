#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace tapeworks {

template <typename Value>
struct ValueRange {
  Value least{};
  Value most{};
};

// The least and the largest value, nothing when there is none. NaN does not count.
std::optional<ValueRange<int32_t>> range_of(std::span<const int32_t> values);
std::optional<ValueRange<uint32_t>> range_of(std::span<const uint32_t> values);
std::optional<ValueRange<uint64_t>> range_of(std::span<const uint64_t> values);
std::optional<ValueRange<int64_t>> range_of(std::span<const int64_t> values);
std::optional<ValueRange<float>> range_of(std::span<const float> values);
std::optional<ValueRange<double>> range_of(std::span<const double> values);

}  // namespace tapeworks
