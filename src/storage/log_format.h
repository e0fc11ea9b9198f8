#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/units.h"

// The bytes of the write-ahead log: docs/formats/wal.md says what they mean and why.

namespace tapeworks {

inline constexpr uint64_t kLogBlockBytes = 32 * kKiB;
inline constexpr uint64_t kLogSegmentHeaderBytes = 64;
inline constexpr uint64_t kLogFragmentHeaderBytes = 7;
inline constexpr uint64_t kLogRecordHeaderBytes = 32;
inline constexpr uint64_t kLogEndMarkBytes = 8;
/// A reader keeps one record in memory, so this bounds it.
inline constexpr uint64_t kLogPayloadBytesMax = 16 * kMiB;
/// A segment may be chosen to be this large, and one oversized record larger.
inline constexpr uint64_t kLogSegmentBytesMax = kGiB;
inline constexpr uint64_t kLogSegmentFileBytesMax = kLogSegmentBytesMax + 2 * kLogPayloadBytesMax;
/// No record takes fewer bytes in a file.
inline constexpr uint64_t kLogRecordInFileBytesMin =
    kLogFragmentHeaderBytes + kLogRecordHeaderBytes;
/// Numbers beyond are refused: a log never gets there, damage does.
inline constexpr uint64_t kLogLsnMax = uint64_t{1} << 62;

/// Kinds below this one are the log's own.
inline constexpr uint8_t kLogKindCallerMin = 16;
inline constexpr uint8_t kLogKindStart = 0;
inline constexpr uint8_t kLogKindLost = 1;
/// The flag meant for payloads that are no text.
inline constexpr uint8_t kLogFlagBinary = 1;

using LogBootId = std::array<std::byte, 16>;

/// What a caller appends. The log looks at `kind` only, and only to keep its own apart.
struct LogEntry {
  uint8_t kind = kLogKindCallerMin;
  uint8_t flags = 0;
  uint16_t source = 0;
  uint32_t connection = 0;
  int64_t wall_time_ns = 0;       ///< since 1970-01-01 UTC
  int64_t monotonic_time_ns = 0;  ///< comparable within one boot id
  std::span<const std::byte> payload;
};

/// An entry with its number. The payload is borrowed; who hands out the record says for how long.
struct LogRecord : LogEntry {
  uint64_t lsn = 0;
};

struct LogSegmentHeader {
  uint64_t first_lsn = 0;
  int64_t created_ns = 0;  ///< wall clock, since 1970-01-01 UTC
  LogBootId boot_id{};
};

enum class LogFragmentType : uint8_t {
  kZero = 0,  ///< never written: room that is still free
  kFull = 1,
  kFirst = 2,
  kMiddle = 3,
  kLast = 4,
  kEndMark = 5,
};

std::array<std::byte, kLogSegmentHeaderBytes> encode_segment_header(const LogSegmentHeader& header);

/// What 64 bytes at the beginning of a segment are.
struct ParsedSegmentHeader {
  enum class State { kIntact, kDamaged, kOtherVersion } state = State::kDamaged;
  LogSegmentHeader header;
  uint32_t version = 0;
};
ParsedSegmentHeader parse_segment_header(std::span<const std::byte> bytes);

std::array<std::byte, kLogRecordHeaderBytes> encode_record_header(const LogRecord& record);
/// The payload points into `bytes`. Nothing for fewer bytes than a record has.
std::optional<LogRecord> parse_record(std::span<const std::byte> bytes);

/// The checksum of a fragment: length, type and data, bound to its place.
uint32_t fragment_checksum(uint64_t segment_first_lsn, uint64_t file_offset, LogFragmentType type,
                           std::span<const std::byte> data);

/// Where a fragment begins that is appended at `position`: there, or with the next block when too
/// little is left in this one.
constexpr uint64_t next_fragment_offset(uint64_t position) {
  const uint64_t left = kLogBlockBytes - position % kLogBlockBytes;
  return left <= kLogFragmentHeaderBytes ? position + left : position;
}

/// Where a file ends after `byte_count` bytes were appended at `position`, fragment headers
/// included.
uint64_t position_after(uint64_t position, uint64_t byte_count);

/// "00000000000000000017.wal".
std::string segment_name(uint64_t first_lsn);
/// The first LSN of "N.wal" or "N.wal.zst"; nothing for other names.
struct ParsedSegmentName {
  uint64_t first_lsn = 0;
  bool archived = false;
};
std::optional<ParsedSegmentName> parse_segment_name(std::string_view name);

/// The payload of a start record.
struct LogStart {
  uint64_t last_lsn = 0;   ///< the highest that the writer found, 0: none
  uint64_t floor_lsn = 0;  ///< the highest that its caller knew of
};
std::array<std::byte, 16> encode_log_start(const LogStart& start);
std::optional<LogStart> parse_log_start(std::span<const std::byte> payload);

/// How many records a record stands for: 1, or the count of a lost record.
uint64_t records_stood_for(const LogRecord& record);

/// How many records are missing in front of `record` where `expected_lsn` should have come: none
/// when a start record explains the jump.
uint64_t records_missing_before(const LogRecord& record, uint64_t expected_lsn);

inline constexpr std::string_view kArchiveSuffix = ".zst";
inline constexpr std::string_view kPartialSuffix = ".partial";
inline constexpr std::string_view kDamagedFolder = "damaged";

/// Numbers as the format writes them.
template <typename T>
void store_little_endian(std::byte* at, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) {
    at[i] = static_cast<std::byte>(static_cast<uint64_t>(value) >> (8 * i));
  }
}
template <typename T>
T load_little_endian(const std::byte* at) {
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) value |= static_cast<uint64_t>(at[i]) << (8 * i);
  return static_cast<T>(value);
}

}  // namespace tapeworks
