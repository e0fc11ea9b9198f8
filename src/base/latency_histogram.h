#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace tapeworks {

/// Counts durations in buckets with fixed bounds, for percentiles within the width of a bucket.
/// A negative duration, which two clocks can give, counts as 0. Memory: 160 bytes. Threads: one.
class LatencyHistogram {
 public:
  /// Upper bounds, inclusive; one more bucket holds what is above all of them.
  static constexpr std::array<int64_t, 17> kBoundsNs{
      500'000,       1'000'000,     2'500'000,      5'000'000,      10'000'000,    20'000'000,
      30'000'000,    50'000'000,    100'000'000,    250'000'000,    500'000'000,   1'000'000'000,
      2'500'000'000, 5'000'000'000, 10'000'000'000, 30'000'000'000, 60'000'000'000};

  void observe(int64_t latency_ns, uint64_t count = 1) {
    const int64_t counted_ns = std::max<int64_t>(latency_ns, 0);
    const auto* const bound = std::ranges::lower_bound(kBoundsNs, counted_ns);
    counts_[static_cast<size_t>(bound - kBoundsNs.begin())] += count;
    count_ += count;
    sum_seconds_ += static_cast<double>(counted_ns) / 1e9 * static_cast<double>(count);
  }

  /// How many fell into each bucket; not cumulative.
  const std::array<uint64_t, kBoundsNs.size() + 1>& counts() const { return counts_; }
  uint64_t count() const { return count_; }
  double sum_seconds() const { return sum_seconds_; }

 private:
  std::array<uint64_t, kBoundsNs.size() + 1> counts_{};
  uint64_t count_ = 0;
  double sum_seconds_ = 0;
};

}  // namespace tapeworks
