#include "recorder/frame_log.h"

#include <cstdlib>
#include <span>
#include <utility>

namespace tapeworks::recorder {
namespace {

LogEntry entry_of(LogKind kind, uint16_t source, uint32_t connection, const net::ClockReading& time,
                  std::string_view payload) {
  LogEntry entry;
  entry.kind = static_cast<uint8_t>(kind);
  entry.source = source;
  entry.connection = connection;
  entry.wall_time_ns = time.wall_ns;
  entry.monotonic_time_ns = time.monotonic_ns;
  entry.payload = std::as_bytes(std::span(payload));
  return entry;
}

}  // namespace

Result<bool> FrameLog::try_append(const ReceivedMessage& message) {
  TW_ASSIGN(const bool is_clear, append_waiting());
  if (!is_clear) return false;
  LogEntry entry = entry_of(LogKind::kFrame, encode_source(message.source), message.connection,
                            message.time, message.payload);
  entry.flags = message.is_binary ? kLogFlagBinary : 0;
  TW_ASSIGN(const auto lsn, writer_.try_append(entry));
  if (lsn && meter_ != nullptr) meter_->note(*lsn, message.time.monotonic_ns);
  return lsn.has_value();
}

Result<bool> FrameLog::try_append(const WaitingEvent& event) {
  TW_ASSIGN(const auto lsn, writer_.try_append(entry_of(event.kind, event.source, event.connection,
                                                        event.time, event.payload)));
  return lsn.has_value();
}

Result<bool> FrameLog::try_append(LogKind kind, LogSource source, const LogEvent& event,
                                  const net::ClockReading& time) {
  TW_ASSIGN(const bool is_clear, append_waiting());
  if (!is_clear) return false;
  return try_append(WaitingEvent{kind, encode_source(source), 0, encode_log_event(event), time});
}

Status FrameLog::append(LogKind kind, std::optional<LogSource> source, uint32_t connection,
                        const LogEvent& event, const net::ClockReading& time) {
  if (waiting_.size() == kEventsWaitingMax) {
    return io_error(
        "the log has taken nothing for so long that {} events wait for it; is its disk "
        "stalled?",
        kEventsWaitingMax);
  }
  waiting_.push_back({kind, source ? encode_source(*source) : kNoSource, connection,
                      encode_log_event(event), time});
  TW_ASSIGN(const bool is_clear, append_waiting());
  static_cast<void>(is_clear);
  return {};
}

Result<bool> FrameLog::append_waiting() {
  while (!waiting_.empty()) {
    TW_ASSIGN(const bool is_taken, try_append(waiting_.front()));
    if (!is_taken) return false;
    waiting_.pop_front();
  }
  return true;
}

Status FrameLog::heartbeat(const net::ClockReading& time) {
  const int64_t difference_ns = time.wall_ns - time.monotonic_ns;
  const auto before_ns = std::exchange(wall_minus_monotonic_ns_, difference_ns);
  if (before_ns && std::abs(difference_ns - *before_ns) > kClockStepNs) {
    LogEvent event;
    event.cause = "clock_step";
    event.detail =
        fmt::format("the wall clock was set by {} ms", (difference_ns - *before_ns) / 1'000'000);
    event.count = difference_ns - *before_ns;
    TW_TRY(append(LogKind::kClockStep, std::nullopt, 0, event, time));
  }
  // A heartbeat that finds no room is none too many: what is in front of it says that time passes.
  TW_ASSIGN(const bool is_clear, append_waiting());
  if (!is_clear) return {};
  TW_ASSIGN(const bool is_taken,
            try_append(WaitingEvent{LogKind::kHeartbeat, kNoSource, 0, {}, time}));
  static_cast<void>(is_taken);
  return {};
}

}  // namespace tapeworks::recorder
