#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "recorder/durability_meter.h"
#include "recorder/net/event_loop.h"
#include "recorder/protocol/log_event.h"
#include "storage/log_writer.h"

namespace tapeworks::recorder {

/// Puts what the network thread receives, and what happens to it, into the log.
///
/// Frames are taken or refused at once: a refused one is the caller's to keep, by the loss policy
/// of its feed. Events wait here for room, at most kEventsWaitingMax, and no frame passes them.
/// Ownership: `writer` must outlive it. Failure: that of the writer, which is final. Threads: one.
class FrameLog {
 public:
  static constexpr size_t kEventsWaitingMax = 10'000;

  /// `meter`, if there is one, is told of each message, and must outlive this too.
  explicit FrameLog(LogWriter& writer, DurabilityMeter* meter = nullptr)
      : writer_(writer), meter_(meter) {}

  struct ReceivedMessage {
    LogSource source;
    uint32_t connection = 0;
    bool is_binary = false;
    std::string_view payload;
    net::ClockReading time;
  };
  /// False when the log is full. kInvalidArgument for a message larger than a record may be.
  Result<bool> try_append(const ReceivedMessage& message);

  /// An event of a connection, or with no source of the whole recorder.
  Status append(LogKind kind, std::optional<LogSource> source, uint32_t connection,
                const LogEvent& event, const net::ClockReading& time);

  /// The same for an event that its owner keeps until there is room: false when the log is full.
  Result<bool> try_append(LogKind kind, LogSource source, const LogEvent& event,
                          const net::ClockReading& time);

  /// Once a second: what waits, a heartbeat, and an event when the wall clock was set by more than
  /// kClockStepNs since the last one.
  static constexpr int64_t kClockStepNs = 100'000'000;
  Status heartbeat(const net::ClockReading& time);

  /// Tries again what waits; true when nothing does.
  Result<bool> append_waiting();

  LogWriter& writer() { return writer_; }

 private:
  struct WaitingEvent {
    LogKind kind;
    uint16_t source;
    uint32_t connection;
    std::string payload;
    net::ClockReading time;
  };

  Result<bool> try_append(const WaitingEvent& event);

  LogWriter& writer_;
  DurabilityMeter* meter_;
  std::deque<WaitingEvent> waiting_;
  std::optional<int64_t> wall_minus_monotonic_ns_;
};

}  // namespace tapeworks::recorder
