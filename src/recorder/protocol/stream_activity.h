#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "recorder/protocol/rate_window.h"

namespace tapeworks::recorder {

/// When a stream of a connection spoke, and for how long it may be silent: a quiet pair is no dead
/// socket, so each is measured by its own habit.
class StreamActivity {
 public:
  static constexpr std::chrono::seconds kSilenceMin{60};
  static constexpr int kMedianFactor = 10;
  static constexpr size_t kGapsKept = 15;

  /// From now on the stream is expected to speak; silence is counted from here.
  void subscribed(SteadyTime now) {
    if (!expected_since_) expected_since_ = now;
  }
  void spoke(SteadyTime now);

  bool is_expected() const { return expected_since_.has_value(); }
  bool has_spoken() const { return last_spoke_.has_value(); }

  /// When its silence becomes remarkable: after max(60 s, 10 times its median gap).
  SteadyTime silent_from() const;

 private:
  std::optional<SteadyTime> expected_since_;
  std::optional<SteadyTime> last_spoke_;
  std::array<uint32_t, kGapsKept> gaps_ms_{};  // a ring
  size_t gap_count_ = 0;
};

}  // namespace tapeworks::recorder
