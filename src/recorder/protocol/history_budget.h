#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

#include "recorder/protocol/rate_window.h"

namespace tapeworks::recorder {

/// What an exchange may be asked about past trades: so much weight in a window, and nothing while
/// it has refused. Exchanges count by address, so all venues of one share it. Threads: one.
class HistoryBudget {
 public:
  HistoryBudget(size_t weight_max, std::chrono::nanoseconds window) : spent_(weight_max, window) {}

  bool allows(size_t weight, SteadyTime now) const {
    return now >= paused_until_ && spent_.next_allowed(now, weight) <= now;
  }
  void spend(size_t weight, SteadyTime now) { spent_.count(now, weight); }

  /// A pause that is longer already stays.
  void pause_until(SteadyTime time) { paused_until_ = std::max(paused_until_, time); }

 private:
  RateWindow spent_;
  SteadyTime paused_until_{0};
};

}  // namespace tapeworks::recorder
