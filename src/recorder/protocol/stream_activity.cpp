#include "recorder/protocol/stream_activity.h"

#include <algorithm>
#include <limits>

namespace tapeworks::recorder {

using std::chrono::milliseconds;

void StreamActivity::spoke(SteadyTime now) {
  if (!expected_since_) expected_since_ = now;
  if (last_spoke_) {
    const auto gap_ms = std::chrono::duration_cast<milliseconds>(now - *last_spoke_).count();
    constexpr int64_t kMax = std::numeric_limits<uint32_t>::max();
    gaps_ms_[gap_count_ % kGapsKept] = static_cast<uint32_t>(std::clamp<int64_t>(gap_ms, 0, kMax));
    ++gap_count_;
  }
  last_spoke_ = now;
}

SteadyTime StreamActivity::silent_from() const {
  const SteadyTime since = last_spoke_.value_or(expected_since_.value_or(SteadyTime(0)));
  SteadyTime patience = kSilenceMin;
  if (const size_t count = std::min(gap_count_, kGapsKept); count > 0) {
    auto gaps_ms = gaps_ms_;
    const auto median = gaps_ms.begin() + static_cast<std::ptrdiff_t>(count / 2);
    std::nth_element(gaps_ms.begin(), median, gaps_ms.begin() + static_cast<std::ptrdiff_t>(count));
    patience = std::max<SteadyTime>(patience, milliseconds(*median) * kMedianFactor);
  }
  return since + patience;
}

}  // namespace tapeworks::recorder
