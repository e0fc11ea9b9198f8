#include "storage/log_format.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "storage/crc32c.h"

namespace tapeworks {
namespace {

constexpr std::string_view kMagic = "TWWALSEG";
constexpr uint32_t kFormatVersion = 1;
constexpr size_t kHeaderChecksumAt = kLogSegmentHeaderBytes - sizeof(uint32_t);
constexpr size_t kSegmentNameDigits = 20;
constexpr std::string_view kSegmentSuffix = ".wal";

}  // namespace

std::array<std::byte, kLogSegmentHeaderBytes> encode_segment_header(
    const LogSegmentHeader& header) {
  std::array<std::byte, kLogSegmentHeaderBytes> bytes{};
  std::ranges::copy(std::as_bytes(std::span(kMagic)), bytes.begin());
  store_little_endian(&bytes[8], kFormatVersion);
  store_little_endian(&bytes[12], static_cast<uint32_t>(kLogBlockBytes));
  store_little_endian(&bytes[16], header.first_lsn);
  store_little_endian(&bytes[24], header.created_ns);
  std::ranges::copy(header.boot_id, &bytes[32]);
  store_little_endian(&bytes[kHeaderChecksumAt], crc32c(std::span(bytes).first(kHeaderChecksumAt)));
  return bytes;
}

ParsedSegmentHeader parse_segment_header(std::span<const std::byte> bytes) {
  ParsedSegmentHeader parsed;
  if (bytes.size() < kLogSegmentHeaderBytes ||
      !std::ranges::equal(bytes.first(kMagic.size()), std::as_bytes(std::span(kMagic))) ||
      load_little_endian<uint32_t>(&bytes[kHeaderChecksumAt]) !=
          crc32c(bytes.first(kHeaderChecksumAt))) {
    return parsed;
  }
  parsed.version = load_little_endian<uint32_t>(&bytes[8]);
  if (parsed.version != kFormatVersion ||
      load_little_endian<uint32_t>(&bytes[12]) != kLogBlockBytes) {
    parsed.state = ParsedSegmentHeader::State::kOtherVersion;
    return parsed;
  }
  parsed.state = ParsedSegmentHeader::State::kIntact;
  parsed.header.first_lsn = load_little_endian<uint64_t>(&bytes[16]);
  parsed.header.created_ns = load_little_endian<int64_t>(&bytes[24]);
  std::ranges::copy(bytes.subspan(32, parsed.header.boot_id.size()), parsed.header.boot_id.begin());
  return parsed;
}

std::array<std::byte, kLogRecordHeaderBytes> encode_record_header(const LogRecord& record) {
  std::array<std::byte, kLogRecordHeaderBytes> bytes{};
  store_little_endian(&bytes[0], record.lsn);
  store_little_endian(&bytes[8], record.wall_time_ns);
  store_little_endian(&bytes[16], record.monotonic_time_ns);
  store_little_endian(&bytes[24], record.connection);
  store_little_endian(&bytes[28], record.source);
  store_little_endian(&bytes[30], record.kind);
  store_little_endian(&bytes[31], record.flags);
  return bytes;
}

std::optional<LogRecord> parse_record(std::span<const std::byte> bytes) {
  if (bytes.size() < kLogRecordHeaderBytes) return std::nullopt;
  LogRecord record;
  record.lsn = load_little_endian<uint64_t>(&bytes[0]);
  record.wall_time_ns = load_little_endian<int64_t>(&bytes[8]);
  record.monotonic_time_ns = load_little_endian<int64_t>(&bytes[16]);
  record.connection = load_little_endian<uint32_t>(&bytes[24]);
  record.source = load_little_endian<uint16_t>(&bytes[28]);
  record.kind = load_little_endian<uint8_t>(&bytes[30]);
  record.flags = load_little_endian<uint8_t>(&bytes[31]);
  record.payload = bytes.subspan(kLogRecordHeaderBytes);
  return record;
}

uint32_t fragment_checksum(uint64_t segment_first_lsn, uint64_t file_offset, LogFragmentType type,
                           std::span<const std::byte> data) {
  std::array<std::byte, 19> front{};
  store_little_endian(&front[0], segment_first_lsn);
  store_little_endian(&front[8], file_offset);
  store_little_endian(&front[16], static_cast<uint16_t>(data.size()));
  store_little_endian(&front[18], static_cast<uint8_t>(type));
  return extend_crc32c(crc32c(front), data);
}

uint64_t position_after(uint64_t position, uint64_t byte_count) {
  position = next_fragment_offset(position);
  const uint64_t room = kLogBlockBytes - position % kLogBlockBytes - kLogFragmentHeaderBytes;
  if (byte_count <= room) return position + kLogFragmentHeaderBytes + byte_count;
  constexpr uint64_t kRoomOfABlock = kLogBlockBytes - kLogFragmentHeaderBytes;
  const uint64_t behind = byte_count - room;
  const uint64_t block_count = (behind + kRoomOfABlock - 1) / kRoomOfABlock;
  return position + kLogFragmentHeaderBytes + byte_count + block_count * kLogFragmentHeaderBytes;
}

std::string segment_name(uint64_t first_lsn) {
  return fmt::format("{:020}{}", first_lsn, kSegmentSuffix);
}

std::optional<ParsedSegmentName> parse_segment_name(std::string_view name) {
  ParsedSegmentName parsed;
  if (name.ends_with(kArchiveSuffix)) {
    parsed.archived = true;
    name.remove_suffix(kArchiveSuffix.size());
  }
  if (name.size() != kSegmentNameDigits + kSegmentSuffix.size() ||
      !name.ends_with(kSegmentSuffix)) {
    return std::nullopt;
  }
  const char* const end = name.data() + kSegmentNameDigits;
  const auto [stop, error] = std::from_chars(name.data(), end, parsed.first_lsn);
  if (error != std::errc() || stop != end || parsed.first_lsn == 0 || parsed.first_lsn > kLogLsnMax)
    return std::nullopt;
  return parsed;
}

std::array<std::byte, 16> encode_log_start(const LogStart& start) {
  std::array<std::byte, 16> bytes{};
  store_little_endian(&bytes[0], start.last_lsn);
  store_little_endian(&bytes[8], start.floor_lsn);
  return bytes;
}

std::optional<LogStart> parse_log_start(std::span<const std::byte> payload) {
  if (payload.size() != 2 * sizeof(uint64_t)) return std::nullopt;
  return LogStart{load_little_endian<uint64_t>(&payload[0]),
                  load_little_endian<uint64_t>(&payload[8])};
}

uint64_t records_stood_for(const LogRecord& record) {
  if (record.kind != kLogKindLost || record.payload.size() != sizeof(uint64_t)) return 1;
  const auto count = load_little_endian<uint64_t>(record.payload.data());
  return std::clamp<uint64_t>(count, 1, kLogLsnMax);
}

uint64_t records_missing_before(const LogRecord& record, uint64_t expected_lsn) {
  if (record.lsn <= expected_lsn) return 0;
  const auto start = record.kind == kLogKindStart ? parse_log_start(record.payload) : std::nullopt;
  if (!start) return record.lsn - expected_lsn;
  const uint64_t known_last = std::min(std::max(start->last_lsn, start->floor_lsn), record.lsn - 1);
  return known_last < expected_lsn ? 0 : known_last - expected_lsn + 1;
}

}  // namespace tapeworks
