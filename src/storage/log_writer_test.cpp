#include "storage/log_writer.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "storage/log_test_support.h"

namespace tapeworks {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLong = std::chrono::minutes(1);

/// Fails or stalls on demand.
class FaultyOperations : public LogFileOperations {
 public:
  std::atomic<int> fail_sync_after{-1};  ///< so many syncs succeed; -1: all
  std::atomic<int> fail_write_after{-1};
  std::atomic<uint64_t> write_at_most{0};  ///< bytes a system call takes; 0: all
  std::atomic<int> sync_count{0};
  std::atomic<bool> stall{false};
  std::atomic<bool> is_full{false};  ///< there is no room for a further segment

  Status preallocate(const FileDescriptor& file, uint64_t byte_count,
                     const std::filesystem::path& path) override {
    if (is_full) return system_error("reserve room for", path, ENOSPC);
    return LogFileOperations::preallocate(file, byte_count, path);
  }
  Status sync(const FileDescriptor& file, const std::filesystem::path& path) override {
    while (stall) std::this_thread::sleep_for(milliseconds(1));
    ++sync_count;
    if (counts_down(fail_sync_after)) return system_error("sync", path, EIO);
    return LogFileOperations::sync(file, path);
  }
  ssize_t write_some(const FileDescriptor& file, std::span<const std::byte> bytes,
                     uint64_t offset) override {
    if (counts_down(fail_write_after)) {
      errno = ENOSPC;
      return -1;
    }
    if (write_at_most != 0) bytes = bytes.first(std::min<uint64_t>(bytes.size(), write_at_most));
    return LogFileOperations::write_some(file, bytes, offset);
  }

 private:
  static bool counts_down(std::atomic<int>& left) {
    if (left < 0) return false;
    if (left == 0) return true;
    --left;
    return false;
  }
};

class LogWriterTest : public LogTest {};

TEST_F(LogWriterTest, GivesBackWhatWasAppended) {
  auto writer = open();
  for (const size_t size : {0, 1, 100, 32768, 70000, 3000000}) append(writer, size);
  ASSERT_TRUE(writer.close());
  const ReadLog read = read_log(log());
  EXPECT_EQ(read.records, appended_);
  EXPECT_TRUE(read.holes.empty());
  EXPECT_EQ(read.end.torn_segment, "");
}

TEST_F(LogWriterTest, NumbersAreDenseAndBeginBehindTheStartRecord) {
  auto writer = open();
  EXPECT_EQ(writer.start_lsn(), 1u);
  EXPECT_EQ(writer.durable_lsn(), 1u);
  for (uint64_t i = 0; i < 100; ++i) EXPECT_EQ(append(writer, size_t{10}), i + 2);
  EXPECT_EQ(writer.end_lsn(), 102u);
}

TEST_F(LogWriterTest, WhatIsDurableIsInTheFile) {
  auto writer = open();
  for (int round = 0; round < 20; ++round) {
    const uint64_t lsn = append(writer, size_t{1000});
    ASSERT_TRUE(writer.wait_durable(lsn, kLong).value());
    EXPECT_GE(writer.durable_lsn(), lsn);
    EXPECT_EQ(read_log(log()).records, appended_);
  }
}

TEST_F(LogWriterTest, WaitingForTheWatermarkEndsAtTheTimeout) {
  FaultyOperations operations;
  auto writer = open({.operations = &operations});
  operations.stall = true;
  const uint64_t lsn = append(writer, size_t{10});
  EXPECT_FALSE(writer.wait_durable(lsn, milliseconds(50)).value());
  operations.stall = false;
  EXPECT_TRUE(writer.wait_durable(lsn, kLong).value());
}

TEST_F(LogWriterTest, AFullBufferIsSaidAndNotWaitedFor) {
  FaultyOperations operations;
  auto writer = open({.buffer_limit_bytes = 64 * kKiB, .operations = &operations});
  operations.stall = true;
  const OwnedRecord owned = random_record(1, 1000);
  std::optional<uint64_t> last;
  while (true) {
    const auto lsn = writer.try_append(entry_of(owned));
    ASSERT_TRUE(lsn);
    if (!*lsn) break;
    last = **lsn;
    ASSERT_LE(writer.buffered_bytes(), 64 * kKiB);
  }
  ASSERT_GT(*last, 20u);
  EXPECT_FALSE(writer.append(entry_of(owned), milliseconds(30)).value());
  EXPECT_EQ(writer.end_lsn(), *last + 1);  // a refused record takes no number
  std::thread release([&] {
    std::this_thread::sleep_for(milliseconds(20));
    operations.stall = false;
  });
  EXPECT_EQ(writer.append(entry_of(owned), kLong).value(), *last + 1);
  release.join();
  ASSERT_TRUE(writer.close());
  EXPECT_EQ(read_log(log()).records.size(), *last);
}

TEST_F(LogWriterTest, ARecordLargerThanTheBufferPassesAlone) {
  auto writer = open({.buffer_limit_bytes = 64 * kKiB});
  append(writer, size_t{1000000});
  append(writer, size_t{10});
  append(writer, size_t{1000000});
  ASSERT_TRUE(writer.close());
  EXPECT_EQ(read_log(log()).records, appended_);
}

TEST_F(LogWriterTest, RefusesWhatTheFormatCannotHold) {
  auto writer = open();
  const std::vector<std::byte> too_large(kLogPayloadBytesMax + 1);
  LogEntry entry;
  entry.payload = too_large;
  EXPECT_EQ(writer.try_append(entry).error().kind, ErrorKind::kInvalidArgument);
  entry.payload = std::span(too_large).first(kLogPayloadBytesMax);
  EXPECT_TRUE(writer.append(entry, kLong).value());
  entry = {};
  entry.kind = kLogKindCallerMin - 1;
  EXPECT_EQ(writer.try_append(entry).error().kind, ErrorKind::kInvalidArgument);
  ASSERT_TRUE(writer.close());
  EXPECT_EQ(read_log(log()).records.size(), 1u);
}

TEST_F(LogWriterTest, RefusesImpossibleSegmentSizes) {
  for (const uint64_t bytes : {uint64_t{0}, 64 * kKiB - 1, kLogSegmentBytesMax + 1}) {
    const auto writer = LogWriter::open(log(), {.segment_bytes = bytes});
    ASSERT_FALSE(writer);
    EXPECT_EQ(writer.error().kind, ErrorKind::kInvalidArgument);
  }
}

TEST_F(LogWriterTest, AFailedSyncIsFinalAndSaidByEveryLaterCall) {
  FaultyOperations operations;
  auto writer = open({.operations = &operations});
  const uint64_t good = append(writer, size_t{10});
  ASSERT_TRUE(writer.wait_durable(good, kLong).value());
  operations.fail_sync_after = 0;
  const int syncs_before = operations.sync_count;
  const uint64_t bad = append(writer, size_t{10});
  const auto waited = writer.wait_durable(bad, kLong);
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().kind, ErrorKind::kIo);
  EXPECT_NE(waited.error().message.find("cannot sync"), std::string::npos);
  operations.fail_sync_after = -1;  // a second call would succeed and mean nothing
  const OwnedRecord owned = random_record(1, 10);
  EXPECT_EQ(writer.try_append(entry_of(owned)).error().message, waited.error().message);
  EXPECT_EQ(writer.append(entry_of(owned), kLong).error().message, waited.error().message);
  EXPECT_EQ(writer.flush().error().message, waited.error().message);
  EXPECT_EQ(writer.close().error().message, waited.error().message);
  EXPECT_TRUE(writer.wait_durable(good, milliseconds(0)).value());
  EXPECT_EQ(writer.durable_lsn(), good);
  EXPECT_EQ(operations.sync_count, syncs_before + 1);
}

TEST_F(LogWriterTest, AFailedWriteIsFinalAtEachMomentAndLeavesAReadableLog) {
  for (int after = 0; after < 12; ++after) {
    const TestFolder folder;
    FaultyOperations operations;
    uint64_t durable = 0;
    uint64_t appended = 0;
    {
      auto writer =
          LogWriter::open(folder.path(), {.segment_bytes = 64 * kKiB, .operations = &operations})
              .value();
      operations.fail_write_after = after;
      for (uint64_t i = 0; i < 40; ++i) {
        const OwnedRecord owned = random_record(i, 9000);
        const auto lsn = writer.append(entry_of(owned), kLong);
        if (!lsn) break;
        appended = lsn->value();
        if (!writer.wait_durable(appended, kLong)) break;
      }
      ASSERT_FALSE(writer.close());
      durable = writer.durable_lsn();
    }
    const ReadLog read = read_log(folder.path());
    ASSERT_FALSE(read.error);
    EXPECT_TRUE(read.holes.empty());
    ASSERT_GE(read.records.size() + 1, durable);
    for (size_t i = 0; i < read.records.size(); ++i) {
      OwnedRecord expected = random_record(i, 9000);
      expected.record.lsn = i + 2;
      ASSERT_EQ(read.records[i], expected);
    }
    // The next writer goes on behind it.
    auto writer = LogWriter::open(folder.path()).value();
    EXPECT_GT(writer.start_lsn(), durable);
    EXPECT_TRUE(read_log(folder.path()).holes.empty());
  }
}

TEST_F(LogWriterTest, WritesThatTakeFewBytesAreContinued) {
  FaultyOperations operations;
  operations.write_at_most = 7;
  auto writer = open({.operations = &operations});
  for (const size_t size : {10, 1000, 40000}) append(writer, size);
  ASSERT_TRUE(writer.close());
  EXPECT_EQ(read_log(log()).records, appended_);
}

TEST_F(LogWriterTest, ASecondWriterIsRefusedUntilTheFirstIsGone) {
  {
    const auto first = open();
    const auto second = LogWriter::open(log());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, ErrorKind::kIo);
    EXPECT_NE(second.error().message.find("in use"), std::string::npos);
  }
  EXPECT_TRUE(LogWriter::open(log()));
}

TEST_F(LogWriterTest, ANewSegmentBeginsAfterEveryStartAndWhenOneIsFull) {
  {
    auto writer = open({.segment_bytes = 64 * kKiB});
    for (int i = 0; i < 20; ++i) append(writer, size_t{10000});
    ASSERT_TRUE(writer.close());
  }
  EXPECT_EQ(segments().size(), 4u);  // six of 10,039 bytes fit in the first, with the start record
  for (const std::string& name : segments()) {
    EXPECT_LE(std::filesystem::file_size(log() / name), 64 * kKiB) << name;
  }
  const auto before = segments();
  ASSERT_TRUE(open().close());
  EXPECT_EQ(segments().size(), before.size() + 1);
  EXPECT_EQ(read_log(log()).records, appended_);
}

TEST_F(LogWriterTest, ASegmentIsReservedWhileOpenAndCutWhenClosed) {
  auto writer = open({.segment_bytes = kMiB});
  EXPECT_EQ(std::filesystem::file_size(log() / segments()[0]), kMiB);
  append(writer, size_t{100});
  ASSERT_TRUE(writer.close());
  EXPECT_LT(std::filesystem::file_size(log() / segments()[0]), 400u);
}

TEST_F(LogWriterTest, NumbersRiseOverStartsAndTheJumpIsARecord) {
  {
    auto writer = open();
    append(writer, size_t{10});
    ASSERT_TRUE(writer.close());
  }
  auto writer = open({.lsn_floor = 1000});
  EXPECT_EQ(writer.start_lsn(), 1001u);
  auto reader = LogReader::open(log(), 3).value();
  // The floor says that records up to 1000 were there once, and they are not.
  const auto hole = std::get<LogHole>(reader.next().value());
  EXPECT_EQ(hole.first_missing_lsn, 3u);
  EXPECT_EQ(hole.missing_count, 998u);
  EXPECT_EQ(hole.lsn_after, 1001u);
  const auto record = std::get<LogRecord>(reader.next().value());
  EXPECT_EQ(record.kind, kLogKindStart);
  const auto start = parse_log_start(record.payload);
  ASSERT_TRUE(start);
  EXPECT_EQ(start->last_lsn, 2u);
  EXPECT_EQ(start->floor_lsn, 1000u);
}

TEST_F(LogWriterTest, ANameIsNeverUsedTwiceEvenWhenNothingWasWritten) {
  for (int i = 0; i < 3; ++i) {
    const auto names = std::filesystem::exists(log()) ? segments() : std::vector<std::string>();
    auto writer = open();
    ASSERT_TRUE(writer.close());
    // A crash right behind the creation of the file leaves it empty.
    std::filesystem::resize_file(log() / segments().back(), 0);
    EXPECT_EQ(segments().size(), names.size() + 1);
  }
  EXPECT_TRUE(read_log(log()).holes.empty());
}

TEST_F(LogWriterTest, NumbersPassOverWhatUnreadableBytesMayHaveHeld) {
  {
    auto writer = open();
    for (int i = 0; i < 50; ++i) append(writer, size_t{100});
    ASSERT_TRUE(writer.close());
  }
  // The last block from record 10 on is garbage, so nobody can see how far the numbers went.
  const auto path = log() / segments()[0];
  std::string bytes = read_file(path);
  std::fill(bytes.begin() + 64 + 55 + 9 * 139 + 3, bytes.end(), '\x5a');
  write_file(path, bytes);
  ASSERT_LT(read_log(log()).records.size(), 50u);
  EXPECT_GT(open().start_lsn(), 51u);
}

TEST_F(LogWriterTest, EveryRecordHasASyncOfItsOwnWhenAsked) {
  FaultyOperations operations;
  auto writer = open({.sync = LogSync::kEvery, .operations = &operations});
  const int before = operations.sync_count;
  for (int i = 0; i < 25; ++i) append(writer, size_t{10});
  ASSERT_TRUE(writer.flush());
  EXPECT_EQ(operations.sync_count, before + 25);
}

TEST_F(LogWriterTest, AGroupSharesASync) {
  FaultyOperations operations;
  auto writer = open({.sync_interval = kLong, .operations = &operations});
  const int before = operations.sync_count;
  for (int i = 0; i < 100; ++i) append(writer, size_t{10});
  EXPECT_EQ(operations.sync_count, before);
  ASSERT_TRUE(writer.flush());
  EXPECT_EQ(operations.sync_count, before + 1);
  // Enough bytes do not wait for the interval.
  for (int i = 0; i < 100; ++i) append(writer, size_t{4000});
  EXPECT_TRUE(writer.wait_durable(110, kLong).value());
}

TEST_F(LogWriterTest, AFlushOfNothingDoesNotSyncWhatComesNext) {
  FaultyOperations operations;
  auto writer = open({.sync_interval = kLong, .operations = &operations});
  append(writer, size_t{10});
  ASSERT_TRUE(writer.flush());
  const uint64_t durable_lsn = writer.durable_lsn();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(writer.flush());
    append(writer, size_t{10});
    // The writer's thread gets its chance.
    std::this_thread::sleep_for(milliseconds(1));
    ASSERT_EQ(writer.durable_lsn(), durable_lsn + static_cast<uint64_t>(i));
    ASSERT_TRUE(writer.flush());
  }
}

TEST_F(LogWriterTest, WithoutSyncsOnlyClosingASegmentSyncs) {
  FaultyOperations operations;
  auto writer = open({.sync = LogSync::kNone, .operations = &operations});
  const int before = operations.sync_count;
  for (int i = 0; i < 100; ++i) append(writer, size_t{5000});
  ASSERT_TRUE(writer.flush());
  EXPECT_EQ(operations.sync_count, before);
  EXPECT_EQ(read_log(log()).records, appended_);
  ASSERT_TRUE(writer.close());
  EXPECT_EQ(operations.sync_count, before + 1);
}

TEST_F(LogWriterTest, ThreadsMayAppendAtOnceWhileAReaderFollows) {
  constexpr uint64_t kThreads = 4;
  constexpr uint64_t kPerThread = 2000;
  auto writer = open({.sync_interval = milliseconds(1),
                      .sync_bytes = 8 * kKiB,
                      .buffer_limit_bytes = 128 * kKiB,
                      .segment_bytes = 128 * kKiB});
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < kPerThread; ++i) {
        OwnedRecord owned = random_record(derive_key(t, i), i % 300);
        owned.record.connection = static_cast<uint32_t>(t);
        owned.record.wall_time_ns = static_cast<int64_t>(i);
        ASSERT_TRUE(writer.append(entry_of(owned), kLong).value());
      }
    });
  }
  auto reader = LogReader::open(log()).value();
  std::vector<OwnedRecord> seen;
  uint64_t limit = 0;
  const uint64_t last = 1 + kThreads * kPerThread;
  while (limit < last) {
    limit = writer.durable_lsn();
    ReadLog read = read_log(reader, limit);
    ASSERT_FALSE(read.error) << read.error->message;
    ASSERT_TRUE(read.holes.empty());
    std::ranges::move(read.records, std::back_inserter(seen));
    ASSERT_EQ(seen.size() + 1, limit);
    writer.wait_durable(std::min(limit + 1, last), milliseconds(100)).value();
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<uint64_t> next_of(kThreads);
  for (size_t i = 0; i < seen.size(); ++i) {
    const LogRecord& record = seen[i].record;
    ASSERT_EQ(record.lsn, i + 2);
    const uint64_t number = next_of[record.connection]++;  // in the order of its thread
    OwnedRecord expected = random_record(derive_key(record.connection, number), number % 300);
    expected.record.connection = record.connection;
    expected.record.wall_time_ns = static_cast<int64_t>(number);
    expected.record.lsn = record.lsn;
    ASSERT_EQ(seen[i], expected);
  }
}

TEST_F(LogWriterTest, WaitsForRoomForASegmentAndGoesOnWithAllRecords) {
  FaultyOperations operations;
  std::atomic<int> asked{0};
  auto writer = open(
      {.segment_bytes = 64 * kKiB, .on_no_space = [&] { ++asked; }, .operations = &operations});
  append(writer, size_t{40'000});
  operations.is_full = true;
  const uint64_t waiting = append(writer, size_t{40'000});
  while (asked < 2) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_LT(writer.durable_lsn(), waiting);
  EXPECT_EQ(segments().size(), 1U) << "a file that could not get its room is gone";
  operations.is_full = false;
  EXPECT_TRUE(writer.wait_durable(waiting, kLong).value());
  ASSERT_TRUE(writer.close());
  EXPECT_EQ(read_log(log()).records, appended_);
}

TEST_F(LogWriterTest, AnEndOnAFullDiskDoesNotWaitAndLosesNothingDurable) {
  FaultyOperations operations;
  std::atomic<int> asked{0};
  auto writer = open(
      {.segment_bytes = 64 * kKiB, .on_no_space = [&] { ++asked; }, .operations = &operations});
  const uint64_t durable = append(writer, size_t{40'000});
  EXPECT_TRUE(writer.wait_durable(durable, kLong).value());
  operations.is_full = true;
  append(writer, size_t{40'000});
  while (asked == 0) std::this_thread::sleep_for(milliseconds(1));
  writer.stop_waiting_for_space();
  const Status flushed = writer.flush();
  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().kind, ErrorKind::kNoSpace);
  EXPECT_FALSE(writer.close());
  EXPECT_EQ(writer.durable_lsn(), durable);
  appended_.pop_back();
  EXPECT_EQ(read_log(log()).records, appended_);
}

TEST_F(LogWriterTest, WithoutSomebodyToWaitNoRoomIsAFailure) {
  FaultyOperations operations;
  auto writer = open({.segment_bytes = 64 * kKiB, .operations = &operations});
  operations.is_full = true;
  append(writer, size_t{40'000});
  append(writer, size_t{40'000});
  const Status flushed = writer.flush();
  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().kind, ErrorKind::kNoSpace);
  EXPECT_FALSE(writer.close());
}

}  // namespace
}  // namespace tapeworks
