#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "recorder/protocol/event.h"
#include "recorder/protocol/json_document.h"
#include "recorder/protocol/venue.h"

namespace tapeworks::recorder {

// What the log's opaque codes mean to the recorder: kinds of records, sources, and the payloads of
// our own events. docs/formats/recorder_events.md is this page for readers of logs.

/// Kinds of log records; 0 to 15 are the log's own. A number keeps its meaning for ever.
enum class LogKind : uint8_t {
  kFrame = 16,          ///< a message as received; the flag kLogFlagBinary tells its opcode
  kHeartbeat = 17,      ///< once a second, so that hours end without messages; no payload
  kStart = 18,          ///< recording begins
  kStop = 19,           ///< recording ends in order: what is open is published
  kConnect = 20,        ///< a connection is usable
  kDisconnect = 21,     ///< a connection is over
  kSubscription = 22,   ///< a connection asks for a stream of symbols
  kConfiguration = 23,  ///< the configuration in force
  kClockStep = 24,      ///< the wall clock was set
  kRestReply = 25,      ///< the answer to a request, e.g. the list of instruments
  kLegSwitch = 26,      ///< another connection supplies a stream from here on
  kDrop = 27,           ///< messages were given up by a loss policy
  kNotice = 28,         ///< anything else worth keeping: a timer's decision, a silent stream
  kBackfill = 29,       ///< trades that were fetched later, or how such a search ended
  kSymbol = 30,         ///< a symbol that a connection is to record from here on, or no longer
};
inline constexpr std::array kLogKinds{
    LogKind::kFrame,     LogKind::kHeartbeat,  LogKind::kStart,        LogKind::kStop,
    LogKind::kConnect,   LogKind::kDisconnect, LogKind::kSubscription, LogKind::kConfiguration,
    LogKind::kClockStep, LogKind::kRestReply,  LogKind::kLegSwitch,    LogKind::kDrop,
    LogKind::kNotice,    LogKind::kBackfill,   LogKind::kSymbol};

std::string_view name_of(LogKind kind);
std::optional<LogKind> find_log_kind(uint8_t number);

/// A log record's 16-bit source: the venue in the low byte, the leg (0 or 1) above it. Events that
/// concern no venue have the number kNoSource.
struct LogSource {
  Venue venue = Venue::kBinanceSpot;
  uint8_t leg = 0;

  bool operator==(const LogSource&) const = default;
};
inline constexpr uint16_t kNoSource = 0xffff;
constexpr uint16_t encode_source(LogSource source) {
  return static_cast<uint16_t>(static_cast<unsigned>(source.venue) | source.leg << 8U);
}
/// Nothing for a number that no venue has.
std::optional<LogSource> decode_source(uint16_t number);

/// What decides about rows and the bytes of files besides the messages: settings of the recorder,
/// of all feeds together. Its configuration record has them, so that whoever makes files of a log
/// goes by the same.
struct RowRules {
  static constexpr int64_t kDedupeWindowRowsMax = 1'000'000;  ///< 16 MiB a stream

  int64_t grace_ns = 5'000'000'000;              ///< an hour is over so long after its end
  int64_t row_group_rows = 65'536;               ///< of published files
  int64_t max_time_skew_ns = 3'600'000'000'000;  ///< exchange and receiver differ by so much
  /// Rows of a stream among which a repeat is looked for. 16 bytes each: with 450 symbols 11 MiB.
  int64_t dedupe_window_rows = 512;

  bool operator==(const RowRules&) const = default;
};

/// The payload of an event: a JSON object with the members that have a value. Which ones an event
/// has is for its kind to say; members that are not known are ignored when it is read.
struct LogEvent {
  std::string cause = {};    ///< one word: why, e.g. "24h", "timeout", "signal"
  std::string detail = {};   ///< a sentence for people; a reply's body
  std::string url = {};      ///< of a connection or request
  std::string version = {};  ///< of the program that starts
  std::optional<Stream> stream = {};
  std::vector<std::string> symbols = {};  ///< as the exchange's REST interface spells them
  std::optional<int64_t> count = {};      ///< of messages; a reply's status
  std::optional<int64_t> from_time_ns = {};
  std::optional<int64_t> to_time_ns = {};
  std::optional<int64_t> from_sequence = {};  ///< numbers of a stream, both inclusive
  std::optional<int64_t> to_sequence = {};
  std::string layout = {};             ///< of a configuration: how rows are divided into files
  std::optional<RowRules> rules = {};  ///< of a configuration; those of older programs lack them

  bool operator==(const LogEvent&) const = default;
};

/// Cause of the notice that says, by `count`, up to which number connections are used from here on.
inline constexpr std::string_view kConnectionNumbers = "connection_numbers";

/// Causes of disconnects that were our wish: the socket was heard to its end.
inline constexpr std::string_view kRemovedCause = "removed";  ///< also of symbols
inline constexpr std::string_view kReplacedCause = "replaced";
inline constexpr std::string_view kStoppedCause = "stopped";
inline constexpr std::string_view kDiskFullCause = "disk_full";
inline constexpr std::array kWantedEnds{kRemovedCause, kReplacedCause, kStoppedCause,
                                        kDiskFullCause};

/// Detail of the end of a socket that is replaced because nothing came for long: nobody knows
/// whether something was sent.
inline constexpr std::string_view kStalledDetail = "stalled";

/// Cause of the notice that a socket has an answer to all that it asked for at first, as many
/// streams as its connect record counts: from here on it brings whatever there is. Requests that
/// were repeated in vain count as answered, and their streams have notices of their own.
inline constexpr std::string_view kAnsweredCause = "answered";

/// Cause of a backfill record that has an answer in `detail`, as received; one with another cause
/// (name_of(BackfillEnd)) says how the search for that gap ended.
inline constexpr std::string_view kBackfillPage = "page";

std::string encode_log_event(const LogEvent& event);
/// An empty payload is an event without members. kCorrupt for text that is no JSON object.
Result<LogEvent> decode_log_event(std::string_view payload, JsonDocument& document);

}  // namespace tapeworks::recorder
