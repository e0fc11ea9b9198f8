#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>

namespace tapeworks::recorder {

/// An instant of a steady clock; only differences mean anything.
using SteadyTime = std::chrono::nanoseconds;

/// At most `limit` things within any `window`: messages of a client, connection attempts of one
/// address. Several owners may share one.
///
/// Memory: one instant for each of the last `limit` things.
class RateWindow {
 public:
  RateWindow(size_t limit, std::chrono::nanoseconds window) : limit_(limit), window_(window) {}

  /// Counts one that happens at `now`, allowed or not: some are not ours to withhold (pongs).
  void count(SteadyTime now) { count(now, 1); }
  /// So many at once.
  void count(SteadyTime now, size_t things) {
    times_.insert(times_.end(), things, now);
    while (times_.size() > limit_) times_.pop_front();
  }

  /// The earliest instant, not before `now`, at which one more is allowed.
  SteadyTime next_allowed(SteadyTime now) const { return next_allowed(now, 1); }
  /// So many at once: 1 to `limit`.
  SteadyTime next_allowed(SteadyTime now, size_t things) const {
    if (times_.size() + things <= limit_) return now;
    return std::max(now, times_[times_.size() + things - limit_ - 1] + window_);
  }

 private:
  size_t limit_;
  std::chrono::nanoseconds window_;
  std::deque<SteadyTime> times_;  // rising
};

}  // namespace tapeworks::recorder
