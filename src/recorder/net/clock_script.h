#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "recorder/net/event_loop.h"

namespace tapeworks::net {

/// A time of its own for tests: it begins when the script says, runs faster than the machine's, and
/// its wall clock is set forwards and backwards. A day passes in minutes.
///
/// Text, a word and its value a line, `#` begins a comment:
///
///   begin 1772404200      the wall clock at the anchor, in seconds since 1970
///   anchor 1795260264.5   the machine's wall clock then; several processes so share a time
///   speed 240             seconds a second
///   at 6h wall 2h         from so long after the anchor on, by the script's time, the wall clock
///   is at 8h wall -2h        set forwards, or back
///
/// Threads: reading from any.
class ClockScript {
 public:
  /// kInvalidArgument with file and line.
  static Result<ClockScript> parse(std::string_view text, const std::string& file_name);
  static Result<ClockScript> read(const std::filesystem::path& path);

  /// The script's time at a reading of the machine's clocks. The monotonic clock is 0 at the
  /// anchor, or at the first reading if that comes before.
  ClockReading at(const ClockReading& machine) const;
  int64_t speed() const { return speed_; }

 private:
  struct Step {
    int64_t at_ns = 0;
    int64_t shift_ns = 0;
  };

  int64_t begin_ns_ = 0;
  int64_t anchor_ns_ = 0;
  int64_t speed_ = 1;
  std::vector<Step> steps_;
};

/// From here on read_clocks() and the timers of this process keep the script's time; what networks
/// and files take keeps the machine's. Once, before anything else reads a clock.
void use_clock_script(const ClockScript& script);

}  // namespace tapeworks::net
