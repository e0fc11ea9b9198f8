#include "storage/log_reader.h"

#include <gtest/gtest.h>

#include "storage/log_test_support.h"

namespace tapeworks {
namespace {

using std::chrono::milliseconds;

class LogReaderTest : public LogTest {
 protected:
  /// Ten records of 10,000 bytes: two segments, the second from record 8 on.
  void write_two_segments() {
    auto writer = open({.segment_bytes = 64 * kKiB});
    for (int i = 0; i < 10; ++i) append(writer, size_t{10000});
    ASSERT_TRUE(writer.close());
    ASSERT_EQ(segments().size(), 2u);
  }
};

TEST_F(LogReaderTest, BeginsAtTheAskedRecord) {
  write_two_segments();
  for (uint64_t from = 0; from <= 12; ++from) {
    const ReadLog read = read_log(log(), from);
    EXPECT_TRUE(read.holes.empty());
    ASSERT_EQ(read.records.size(), from <= 2 ? 10 : 12 - from) << from;
    for (const OwnedRecord& owned : read.records) EXPECT_EQ(owned, appended_[owned.record.lsn - 2]);
  }
}

TEST_F(LogReaderTest, StopsAtTheLimitAndGoesOn) {
  write_two_segments();
  auto reader = LogReader::open(log()).value();
  std::vector<OwnedRecord> seen;
  for (uint64_t limit = 0; limit <= 11; ++limit) {
    ReadLog read = read_log(reader, limit);
    EXPECT_EQ(read.end.torn_segment, "");
    std::ranges::move(read.records, std::back_inserter(seen));
    EXPECT_EQ(seen.size(), limit < 2 ? 0 : limit - 1);
  }
  EXPECT_EQ(seen, appended_);
}

TEST_F(LogReaderTest, AnEmptyFolderIsAnEmptyLogAndNoFolderIsAnError) {
  std::filesystem::create_directories(log());
  auto reader = LogReader::open(log()).value();
  EXPECT_TRUE(std::holds_alternative<LogReadEnd>(reader.next().value()));
  // What is appended later is found.
  auto writer = open();
  append(writer, size_t{10});
  ASSERT_TRUE(writer.flush());
  EXPECT_EQ(read_log(reader).records, appended_);
  const auto missing = LogReader::open(log() / "missing");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::kInvalidArgument);
}

TEST_F(LogReaderTest, RecordsThatAreNotKeptAnyMoreAreAHoleOnlyWhenAskedFor) {
  write_two_segments();
  std::filesystem::remove(log() / segments()[0]);
  const uint64_t first = parse_segment_name(segments()[0])->first_lsn;
  EXPECT_TRUE(read_log(log()).holes.empty());
  const ReadLog read = read_log(log(), 3);
  ASSERT_EQ(read.holes.size(), 1u);
  EXPECT_EQ(read.holes[0].first_missing_lsn, 3u);
  EXPECT_EQ(read.holes[0].missing_count, first - 3);
  EXPECT_EQ(lsns_of(read), lsns_of(read_log(log())));
}

TEST_F(LogReaderTest, ASegmentThatIsGoneIsAHole) {
  write_two_segments();
  {
    auto writer = open();
    append(writer, size_t{10});
    ASSERT_TRUE(writer.close());
  }
  const uint64_t first = parse_segment_name(segments()[1])->first_lsn;
  std::filesystem::remove(log() / segments()[1]);
  const ReadLog read = read_log(log());
  ASSERT_EQ(read.holes.size(), 1u);
  EXPECT_EQ(read.holes[0].lsn_before, first - 1);
  EXPECT_EQ(read.holes[0].first_missing_lsn, first);
  EXPECT_EQ(read.holes[0].missing_count, 12 - first);  // to the last one that the new start knew of
  EXPECT_EQ(read.holes[0].lsn_after, 12u);
}

TEST_F(LogReaderTest, ALostRecordIsARecordedHole) {
  std::filesystem::create_directories(log());
  auto segment =
      LogSegmentWriter::create(log() / segment_name(1), {1, 0, {}}, 0, LogFileOperations::system())
          .value();
  LogRecord record;
  record.lsn = 1;
  record.kind = kLogKindCallerMin;
  ASSERT_TRUE(segment.append(encode_record_header(record), {}));
  record.lsn = 2;
  record.kind = kLogKindLost;
  std::array<std::byte, 8> count{};
  store_little_endian(count.data(), uint64_t{5});
  ASSERT_TRUE(segment.append(encode_record_header(record), count));
  record.lsn = 7;
  record.kind = kLogKindCallerMin;
  ASSERT_TRUE(segment.append(encode_record_header(record), {}));
  ASSERT_TRUE(segment.close(7));
  const ReadLog read = read_log(log());
  EXPECT_EQ(lsns_of(read), (std::vector<uint64_t>{1, 7}));
  ASSERT_EQ(read.holes.size(), 1u);
  EXPECT_TRUE(read.holes[0].recorded);
  EXPECT_EQ(read.holes[0].first_missing_lsn, 2u);
  EXPECT_EQ(read.holes[0].missing_count, 5u);
  EXPECT_EQ(read_log(log(), 4).holes[0].first_missing_lsn, 4u);
}

/// A reader that goes beyond the limit may see a write half done; the limit is what keeps it from
/// taking that for damage.
TEST_F(LogReaderTest, AHalfWrittenRecordAboveTheLimitIsNoHole) {
  auto writer = open();
  for (const size_t size : {100, 50000, 100, 60000, 100}) append(writer, size);
  ASSERT_TRUE(writer.flush());
  const auto path = log() / segments()[0];
  const std::string whole = read_file(path);
  std::string half = whole;
  std::fill(half.begin() + 40000, half.begin() + 41000, '\0');  // within record 3
  write_file(path, half);
  auto reader = LogReader::open(log()).value();
  EXPECT_EQ(lsns_of(read_log(reader, 2)), (std::vector<uint64_t>{2}));
  EXPECT_TRUE(read_log(reader, 3).holes.empty());
  write_file(path, whole);  // the write has come to its end
  const ReadLog rest = read_log(reader, 6);
  EXPECT_EQ(lsns_of(rest), (std::vector<uint64_t>{3, 4, 5, 6}));
  EXPECT_TRUE(rest.holes.empty());
  // At or below the limit it is what it seems: the block, with all records that touch it.
  write_file(path, half);
  const ReadLog damaged = read_log(log());
  ASSERT_EQ(damaged.holes.size(), 1u);
  EXPECT_EQ(damaged.holes[0].first_missing_lsn, 3u);
  EXPECT_EQ(damaged.holes[0].missing_count, 3u);
}

TEST_F(LogReaderTest, WhatWasReadBeforeIsNotTakenForTheEnd) {
  auto writer = open({.sync_interval = milliseconds(1)});
  auto reader = LogReader::open(log()).value();
  for (int i = 0; i < 50; ++i) {
    append(writer, size_t{700});
    ASSERT_TRUE(writer.flush());
    const ReadLog read = read_log(reader);
    ASSERT_EQ(read.records.size(), 1u);
    EXPECT_EQ(read.records[0], appended_.back());
  }
}

/// Random sizes, among them those around the end of a block; random commits, syncs and starts.
TEST_F(LogReaderTest, ReadingGivesExactlyWhatWasAppended) {
  for (uint64_t seed = 100; seed < 112; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const TestFolder folder;
    std::vector<OwnedRecord> appended;
    uint64_t draw = 0;
    const auto random = [&](uint32_t count) {
      return random_below(random_bits(seed, draw++), count);
    };
    for (int start = 0; start < 5; ++start) {
      LogWriterOptions options;
      options.segment_bytes = (64 + random(200)) * kKiB;
      options.buffer_limit_bytes = (64 + random(2000)) * kKiB;
      options.sync_interval = milliseconds(random(5));
      options.sync_bytes = random(100000);
      options.sync = random(4) == 0 ? LogSync::kNone : LogSync::kGroup;
      if (random(3) == 0) options.lsn_floor = appended.empty() ? 0 : appended.back().record.lsn;
      auto writer = LogWriter::open(folder.path(), options).value();
      for (uint32_t i = random(60); i > 0; --i) {
        size_t size = random(400);
        if (random(10) == 0) size = kLogBlockBytes * random(4) + 32650 + random(120);
        if (random(40) == 0) size = random(3000000);
        if (random(10) == 0) size = 0;
        OwnedRecord owned = random_record(derive_key(seed, draw++), size);
        owned.record.lsn = writer.append(entry_of(owned), std::chrono::minutes(1)).value().value();
        appended.push_back(std::move(owned));
        if (random(8) == 0) {
          ASSERT_TRUE(writer.flush());
        }
      }
      if (random(2) == 0) {
        ASSERT_TRUE(writer.close());
      }
    }
    const ReadLog read = read_log(folder.path());
    ASSERT_FALSE(read.error);
    ASSERT_TRUE(read.holes.empty());
    ASSERT_EQ(read.start_count, 5u);
    ASSERT_EQ(read.records.size(), appended.size());
    for (size_t i = 0; i < appended.size(); ++i) ASSERT_EQ(read.records[i], appended[i]) << i;
  }
}

}  // namespace
}  // namespace tapeworks
