#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "recorder/protocol/decode.h"

namespace tapeworks::recorder {

/// Why messages are given up.
enum class DropCause : uint8_t {
  kLogFull,      ///< the frames that wait for the disk have no more room (wal.buffer)
  kBacklogFull,  ///< more of the log waits to be made into files than the feed's backlog_limit
};
constexpr std::string_view name_of(DropCause cause) {
  return cause == DropCause::kLogFull ? "log_full" : "backlog_full";
}

/// By cause and stream.
using DroppedCounts = std::map<DropCause, std::map<std::string, uint64_t, std::less<>>>;

/// Counts the messages that a loss policy gave up. Costs what decoding costs, which is
/// less than what the log is saved. Threads: one.
class DroppedMessages {
 public:
  /// A message with rows of several streams counts for that of its first row; one without rows as
  /// "control", one that does not decode as "unknown".
  void count(Venue venue, const Frame& frame, DropCause cause);

  uint64_t total() const { return total_; }
  /// All names are there, also those with none.
  const DroppedCounts& counts() const { return counts_; }

 private:
  static DroppedCounts none();

  DecodedFrame decoded_;
  uint64_t total_ = 0;
  DroppedCounts counts_ = none();
};

}  // namespace tapeworks::recorder
