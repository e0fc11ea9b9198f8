#include "storage/log_format.h"

#include <sstream>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "storage/crc32c.h"
#include "storage/log_segment_cursor.h"
#include "storage/log_test_support.h"

namespace tapeworks {
namespace {

const std::filesystem::path kFormatPage =
    std::filesystem::path(TAPEWORKS_TEST_DATA) / "../../docs/formats/wal.md";

/// The bytes in the first column of the table below "An example": rows that begin with "| `hex`".
std::string bytes_of_the_page() {
  constexpr std::string_view kRowFront = "| `";
  const std::string page = read_file(kFormatPage);
  std::istringstream lines(page.substr(page.find("## An example")));
  std::string bytes;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(kRowFront)) continue;
    std::istringstream pairs(
        line.substr(kRowFront.size(), line.find('`', kRowFront.size()) - kRowFront.size()));
    for (std::string pair; pairs >> pair;) {
      bytes.push_back(static_cast<char>(std::stoi(pair, nullptr, 16)));
    }
  }
  return bytes;
}

constexpr std::string_view kExamplePayload = R"({"e":"trade"})";
constexpr int64_t kExampleTime = 1'700'000'000'000'000'000;

LogBootId example_boot_id() {
  LogBootId id{};
  for (size_t i = 0; i < id.size(); ++i) id[i] = static_cast<std::byte>(i * 0x11);
  return id;
}

/// The segment that the page shows: a start record, a frame, and the end mark.
std::string example_segment(const TestFolder& folder) {
  const auto path = folder / segment_name(7);
  auto segment = LogSegmentWriter::create(path, {7, kExampleTime, example_boot_id()}, 0,
                                          LogFileOperations::system())
                     .value();
  LogRecord start;
  start.lsn = 7;
  start.kind = kLogKindStart;
  start.wall_time_ns = kExampleTime;
  start.monotonic_time_ns = 5'000'000'000;
  EXPECT_TRUE(segment.append(encode_record_header(start), encode_log_start({6, 0})));
  LogRecord frame;
  frame.lsn = 8;
  frame.kind = kLogKindCallerMin;
  frame.source = 258;
  frame.connection = 3;
  frame.wall_time_ns = kExampleTime + 1;
  frame.monotonic_time_ns = 5'000'000'001;
  EXPECT_TRUE(
      segment.append(encode_record_header(frame), std::as_bytes(std::span(kExamplePayload))));
  EXPECT_TRUE(segment.close(8));
  return read_file(path);
}

std::string hex_of(std::string_view bytes) {
  std::string hex;
  for (const char byte : bytes) hex += fmt::format("{:02x} ", static_cast<uint8_t>(byte));
  return hex;
}

TEST(LogFormat, TheExampleOfThePageIsWhatIsWritten) {
  const TestFolder folder;
  EXPECT_EQ(hex_of(bytes_of_the_page()), hex_of(example_segment(folder)));
}

TEST(LogFormat, TheExampleOfThePageIsReadAsThePageSays) {
  const TestFolder folder;
  write_file(folder / segment_name(7), bytes_of_the_page());
  auto cursor = LogSegmentCursor::open({folder / segment_name(7), 7, false}).value();
  ASSERT_TRUE(cursor.header());
  EXPECT_EQ(cursor.header()->first_lsn, 7u);
  EXPECT_EQ(cursor.header()->created_ns, kExampleTime);
  EXPECT_EQ(cursor.header()->boot_id, example_boot_id());
  const auto start = std::get<LogRecord>(cursor.next().value());
  EXPECT_EQ(start.lsn, 7u);
  EXPECT_EQ(start.kind, kLogKindStart);
  EXPECT_EQ(parse_log_start(start.payload)->last_lsn, 6u);
  const auto frame = std::get<LogRecord>(cursor.next().value());
  EXPECT_EQ(frame.lsn, 8u);
  EXPECT_EQ(frame.source, 258);
  EXPECT_EQ(frame.connection, 3u);
  EXPECT_EQ(frame.monotonic_time_ns, 5'000'000'001);
  EXPECT_TRUE(std::ranges::equal(frame.payload, std::as_bytes(std::span(kExamplePayload))));
  EXPECT_TRUE(std::get<LogSegmentEnd>(cursor.next().value()).has_end_mark);
}

TEST(LogFormat, SegmentNamesSortLikeTheirNumbersAndReadBack) {
  EXPECT_EQ(segment_name(17), "00000000000000000017.wal");
  EXPECT_LT(segment_name(999), segment_name(1000));
  EXPECT_EQ(parse_segment_name("00000000000000000017.wal")->first_lsn, 17u);
  EXPECT_TRUE(parse_segment_name("00000000000000000017.wal.zst")->archived);
  for (const char* name : {"17.wal", "00000000000000000000.wal", "0000000000000000001x.wal",
                           "00000000000000000017.wal.partial", "99999999999999999999.wal",
                           "wal.lock", "-0000000000000000017.wal", ""}) {
    EXPECT_FALSE(parse_segment_name(name)) << name;
  }
}

TEST(LogFormat, AFragmentNeverBeginsWhereItsHeaderDoesNotFit) {
  EXPECT_EQ(next_fragment_offset(64), 64u);
  EXPECT_EQ(next_fragment_offset(kLogBlockBytes - 8), kLogBlockBytes - 8);
  EXPECT_EQ(next_fragment_offset(kLogBlockBytes - 7), kLogBlockBytes);
  EXPECT_EQ(next_fragment_offset(kLogBlockBytes - 1), kLogBlockBytes);
  EXPECT_EQ(next_fragment_offset(kLogBlockBytes), kLogBlockBytes);
}

TEST(LogFormat, AChecksumBelongsToOnePlace) {
  const std::vector<std::byte> data(10, std::byte{1});
  const uint32_t checksum = fragment_checksum(1, 64, LogFragmentType::kFull, data);
  EXPECT_NE(checksum, fragment_checksum(2, 64, LogFragmentType::kFull, data));
  EXPECT_NE(checksum, fragment_checksum(1, 65, LogFragmentType::kFull, data));
  EXPECT_NE(checksum, fragment_checksum(1, 64, LogFragmentType::kFirst, data));
  EXPECT_NE(checksum, fragment_checksum(1, 64, LogFragmentType::kFull, std::span(data).first(9)));
}

TEST(LogFormat, AnotherVersionIsRefusedAndNotTakenForDamage) {
  const TestFolder folder;
  std::string bytes = example_segment(folder);
  bytes[8] = 2;
  const uint32_t checksum = crc32c(std::as_bytes(std::span(bytes)).first(60));
  store_little_endian(reinterpret_cast<std::byte*>(bytes.data()) + 60, checksum);
  write_file(folder / segment_name(7), bytes);
  const auto cursor = LogSegmentCursor::open({folder / segment_name(7), 7, false});
  ASSERT_FALSE(cursor);
  EXPECT_EQ(cursor.error().kind, ErrorKind::kCorrupt);
  EXPECT_NE(cursor.error().message.find("version 2"), std::string::npos);
}

TEST(LogFormat, MissingRecordsAreCountedAndJumpsAreExplained) {
  LogRecord record;
  record.kind = kLogKindCallerMin;
  record.lsn = 10;
  EXPECT_EQ(records_missing_before(record, 10), 0u);
  EXPECT_EQ(records_missing_before(record, 7), 3u);
  record.kind = kLogKindStart;
  const auto explains_all = encode_log_start({6, 0});
  record.payload = explains_all;
  EXPECT_EQ(records_missing_before(record, 7), 0u);
  const auto knows_of_more = encode_log_start({6, 8});
  record.payload = knows_of_more;
  EXPECT_EQ(records_missing_before(record, 7), 2u);
  record.payload = {};  // says nothing, so explains nothing
  EXPECT_EQ(records_missing_before(record, 7), 3u);
}

}  // namespace
}  // namespace tapeworks
