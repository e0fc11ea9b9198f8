#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "recorder/protocol/decode.h"

namespace tapeworks::recorder {

/// Why messages are given up: there is no other reason.
inline constexpr std::string_view kLogFullCause = "log_full";

/// Counts the messages that a loss policy gave up, by stream. Costs what decoding costs, which is
/// less than what the log is saved. Threads: one.
class DroppedMessages {
 public:
  /// A message with rows of several streams counts for that of its first row; one without rows as
  /// "control", one that does not decode as "unknown".
  void count(Venue venue, const Frame& frame);

  uint64_t total() const { return total_; }
  /// All names are there, also those with none.
  const std::map<std::string, uint64_t, std::less<>>& by_stream() const { return by_stream_; }

 private:
  DecodedFrame decoded_;
  uint64_t total_ = 0;
  std::map<std::string, uint64_t, std::less<>> by_stream_{
      {"book", 0}, {"l5", 0}, {"trade", 0}, {"control", 0}, {"unknown", 0}};
};

}  // namespace tapeworks::recorder
