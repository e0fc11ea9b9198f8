#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "recorder/protocol/log_event.h"
#include "recorder/sink/row_maker.h"

namespace tapeworks::recorder {

// What the files of RowMaker share.

inline std::string_view text_of(std::span<const std::byte> payload) {
  return {reinterpret_cast<const char*>(payload.data()), payload.size()};
}

inline PartitionName partition_name(const std::optional<Venue>& venue, std::string_view symbol) {
  if (!venue) return {};
  const VenueName name = name_of(*venue);
  return {name.exchange, name.market, symbol};
}

inline std::optional<Venue> venue_of(const std::optional<LogSource>& source) {
  if (!source) return std::nullopt;
  return source->venue;
}

inline Moment moment_of(const LogRecord& record) { return {record.lsn, record.wall_time_ns}; }

/// Cause of the gap behind a process that ended without saying so.
inline constexpr std::string_view kProcessEndedCause = "process_ended";

/// The last frame of a leg that brings whatever there is; without such a leg, of any.
Moment end_of_coverage(const ConnectionState& connection);

/// A row of `_gaps/`.
struct RowMaker::Gap {
  uint64_t lsn = 0;
  std::optional<Venue> venue;
  uint32_t connection = 0;
  std::optional<int64_t> from_ns;
  int64_t to_ns = 0;
  std::string_view cause;
  std::string_view symbol;
  std::optional<Stream> stream;
  std::string_view sequence_class;
  std::optional<int64_t> from_sequence;
  std::optional<int64_t> to_sequence;
  std::optional<int64_t> missing_count;
  std::string_view filled_by = {};
  std::string detail = {};
};

}  // namespace tapeworks::recorder
