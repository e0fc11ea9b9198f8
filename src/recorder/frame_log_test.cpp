#include "recorder/frame_log.h"

#include <chrono>
#include <filesystem>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "recorder/stalling_disk_test_support.h"
#include "storage/heap_memory.h"
#include "storage/log_reader.h"
#include "storage/memory_budget.h"

namespace tapeworks::recorder {
namespace {

namespace fs = std::filesystem;

class FrameLogTest : public testing::Test {
 protected:
  FrameLogTest() {
    folder_ = fs::path(testing::TempDir()) / ("frame-log-" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    LogWriterOptions options;
    options.buffer_limit_bytes = 64 * kKiB;
    options.operations = &disk_;
    writer_.emplace(LogWriter::open(folder_, options).value());
    log_.emplace(*writer_);
  }
  ~FrameLogTest() override {
    disk_.stall(false);
    writer_.reset();
    fs::remove_all(folder_);
  }

  bool append_frame(const std::string& payload) {
    return log_->try_append({{Venue::kGateSpot, 1}, 7, false, payload, {time_, time_}}).value();
  }
  /// Frames until the log takes no more; how many it took.
  size_t fill() {
    size_t count = 0;
    for (const size_t bytes : {1000, 0}) {
      while (append_frame(std::string(bytes, 'x'))) ++count;
    }
    return count;
  }
  std::vector<LogKind> kinds_in_log() {
    EXPECT_TRUE(writer_->close());
    auto reader = LogReader::open(folder_).value();
    std::vector<LogKind> kinds;
    while (true) {
      const auto step = reader.next().value();
      const auto* record = std::get_if<LogRecord>(&step);
      if (record == nullptr) return kinds;
      if (const auto kind = find_log_kind(record->kind)) kinds.push_back(*kind);
    }
  }

  fs::path folder_;
  StallingDisk disk_;
  std::optional<LogWriter> writer_;
  std::optional<FrameLog> log_;
  int64_t time_ = 1'000'000'000;
};

TEST_F(FrameLogTest, AFullLogRefusesFramesAndLosesNoEvent) {
  disk_.stall(true);
  const size_t taken = fill();
  EXPECT_GT(taken, 10U);
  LogEvent event;
  event.cause = "disconnect";
  ASSERT_TRUE(
      log_->append(LogKind::kDisconnect, LogSource{Venue::kGateSpot, 1}, 7, event, {time_, time_}));
  EXPECT_FALSE(append_frame("small"));
  disk_.stall(false);
  ASSERT_TRUE(writer_->flush());
  // The log's memory comes free a moment after its records are durable. The event goes first, then
  // what comes after it.
  for (int i = 0; i < 5000 && !append_frame("small"); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const auto kinds = kinds_in_log();
  ASSERT_EQ(kinds.size(), taken + 2);
  EXPECT_EQ(kinds[taken], LogKind::kDisconnect);
  EXPECT_EQ(kinds[taken + 1], LogKind::kFrame);
}

/// The third of the causes in docs/memory.md: while a disk stands still, messages wait in the log's
/// buffer, and when they are written their memory may stay with the process.
TEST_F(FrameLogTest, ABacklogIsGivenBackWhenTheDiskWritesAgain) {
  constexpr uint64_t kLimitBytes = 32 * kMiB;
  LogWriterOptions options;
  options.buffer_limit_bytes = kLimitBytes;
  options.operations = &disk_;
  LogWriter writer = LogWriter::open(folder_ / "large", options).value();
  FrameLog log(writer);
  [[maybe_unused]] const uint64_t heap_before = used_heap_bytes();
  [[maybe_unused]] const uint64_t resident_before = resident_bytes();
  disk_.stall(true);
  const std::string payload(1000, 'x');
  while (log.try_append({{Venue::kGateSpot, 1}, 7, false, payload, {time_, time_}}).value()) {
  }
  EXPECT_GT(writer.buffered_bytes(), kLimitBytes * 3 / 4);
  EXPECT_LE(writer.buffered_bytes(), kLimitBytes);
#ifndef TAPEWORKS_SANITIZED
  EXPECT_GT(used_heap_bytes(), heap_before + kLimitBytes * 3 / 4);
#endif
  disk_.stall(false);
  ASSERT_TRUE(writer.flush());
  for (int i = 0; i < 5000 && writer.buffered_bytes() > kLimitBytes / 8; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_LE(writer.buffered_bytes(), kLimitBytes / 8);
#ifndef TAPEWORKS_SANITIZED
  EXPECT_LT(used_heap_bytes(), heap_before + kLimitBytes / 4);
  return_free_heap();
  EXPECT_LT(resident_bytes(), resident_before + kLimitBytes / 4);
#endif
}

TEST_F(FrameLogTest, AnEventThatItsOwnerKeepsIsRefusedByAFullLogAndPassesNoOther) {
  LogEvent page;
  page.detail = std::string(10'000, 'z');
  const auto append_page = [&] {
    return log_
        ->try_append(LogKind::kBackfill, LogSource{Venue::kGateSpot, 0}, page, {time_, time_})
        .value();
  };
  ASSERT_TRUE(append_page());
  disk_.stall(true);
  const size_t taken = fill();
  EXPECT_FALSE(append_page());
  ASSERT_TRUE(log_->append(LogKind::kNotice, std::nullopt, 0, {}, {time_, time_}));
  disk_.stall(false);
  ASSERT_TRUE(writer_->flush());
  for (int i = 0; i < 5000 && !append_page(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const auto kinds = kinds_in_log();
  ASSERT_EQ(kinds.size(), taken + 3);
  EXPECT_EQ(kinds.front(), LogKind::kBackfill);
  EXPECT_EQ(kinds[taken + 1], LogKind::kNotice);
  EXPECT_EQ(kinds[taken + 2], LogKind::kBackfill);
}

TEST_F(FrameLogTest, TooManyWaitingEventsAreAFailureOfTheDisk) {
  disk_.stall(true);
  fill();
  Status outcome;
  for (size_t i = 0; i <= FrameLog::kEventsWaitingMax && outcome; ++i) {
    LogEvent event;
    event.detail = std::string(100, 'y');
    outcome = log_->append(LogKind::kNotice, std::nullopt, 0, event, {time_, time_});
  }
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, ErrorKind::kIo);
}

TEST_F(FrameLogTest, AStepOfTheWallClockIsAnEvent) {
  ASSERT_TRUE(log_->heartbeat({time_, 0}));
  ASSERT_TRUE(log_->heartbeat({time_ + 1'000'000'000, 1'000'000'000}));
  ASSERT_TRUE(log_->heartbeat({time_ + 2'099'000'000, 2'000'000'000}));  // 99 ms: none
  ASSERT_TRUE(log_->heartbeat({time_ + 1'500'000'000, 3'000'000'000}));  // back
  const std::vector<LogKind> expected{LogKind::kHeartbeat, LogKind::kHeartbeat, LogKind::kHeartbeat,
                                      LogKind::kClockStep, LogKind::kHeartbeat};
  EXPECT_EQ(kinds_in_log(), expected);
}

}  // namespace
}  // namespace tapeworks::recorder
