#include "recorder/log_keeper.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "storage/log_segment_file.h"
#include "storage/log_writer.h"
#include "storage/scratch_folder.h"

namespace tapeworks::recorder {
namespace {

constexpr int64_t kHourNs = 3'600'000'000'000;

/// A closed log of five segments, begun an hour after each other.
class LogKeeperTest : public testing::Test {
 protected:
  LogKeeperTest() {
    const std::string payload(30'000, 'x');
    LogWriterOptions options;
    options.segment_bytes = LogWriterOptions::kSegmentBytesMin;
    options.now = [this] { return LogTimes{hours_++ * kHourNs, 0}; };
    auto writer = LogWriter::open(options_.folder, std::move(options));
    EXPECT_TRUE(writer) << writer.error().message;
    for (int i = 0; i < 10; ++i) {
      LogEntry entry;
      entry.kind = kLogKindCallerMin;
      entry.payload = std::as_bytes(std::span(payload));
      EXPECT_TRUE(writer->append(entry, std::chrono::seconds(10)).value());
    }
    EXPECT_TRUE(writer->close());
    options_.archive = false;
    options_.keep = std::chrono::hours(1);
    first_lsns_ = first_lsns();
  }

  std::vector<uint64_t> first_lsns() const {
    std::vector<uint64_t> found;
    const auto segments = list_log_segments(options_.folder).value();
    for (const LogSegmentFile& file : segments) {
      found.push_back(file.first_lsn);
    }
    return found;
  }
  /// How many segments are left of those there were.
  size_t left_after_pass(int64_t now_ns, uint64_t releasable_lsn) {
    LogKeeper keeper(options_, [&] { return releasable_lsn; });
    const Status done = keeper.keep_house(now_ns);
    EXPECT_TRUE(done) << done.error().message;
    const auto left = first_lsns();
    EXPECT_EQ(std::vector<uint64_t>(first_lsns_.end() - static_cast<ptrdiff_t>(left.size()),
                                    first_lsns_.end()),
              left)
        << "the newest stay";
    EXPECT_EQ(keeper.counts().removed_segments, first_lsns_.size() - left.size());
    first_lsns_ = left;
    return left.size();
  }

  ScratchFolder scratch_ = ScratchFolder::make("").value();
  LogKeeperOptions options_{.folder = scratch_.path() / "log"};
  int64_t hours_ = 0;
  std::vector<uint64_t> first_lsns_;
};

constexpr uint64_t kAll = 1'000'000;

TEST_F(LogKeeperTest, RemovesWhatIsOldAndReleasedButNeverTheNewest) {
  ASSERT_EQ(first_lsns_.size(), 5U);
  // Segment i ends when i + 1 begins, at hour i + 1, and is old an hour after that.
  EXPECT_EQ(left_after_pass(2 * kHourNs, kAll), 5U);
  EXPECT_EQ(left_after_pass(2 * kHourNs + 1, kAll), 4U);
  EXPECT_EQ(left_after_pass(1'000 * kHourNs, kAll), 1U);
}

TEST_F(LogKeeperTest, WhatIsNotReleasedStaysWhateverItsAgeAndSize) {
  options_.max_bytes = 1;
  EXPECT_EQ(left_after_pass(1'000 * kHourNs, 0), 5U);
  const uint64_t second = first_lsns_[1];
  const uint64_t third = first_lsns_[2];
  EXPECT_EQ(left_after_pass(1'000 * kHourNs, second - 2), 5U) << "its last record is needed";
  EXPECT_EQ(left_after_pass(1'000 * kHourNs, second - 1), 4U);
  EXPECT_EQ(left_after_pass(1'000 * kHourNs, third), 3U);
}

TEST_F(LogKeeperTest, ALogThatIsTooLargeIsKeptShorter) {
  testing::internal::CaptureStderr();
  options_.max_bytes = 3 * LogWriterOptions::kSegmentBytesMin;
  EXPECT_EQ(left_after_pass(0, kAll), 3U);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("wal.max_bytes"), std::string::npos);
}

TEST_F(LogKeeperTest, WhatStaysIsArchivedInAThreadOfItsOwn) {
  options_.archive = true;
  options_.keep = std::chrono::hours(24 * 365 * 200);
  LogKeeper keeper(options_, [] { return kAll; });
  keeper.start([](const Error& error) { ADD_FAILURE() << error.message; });
  EXPECT_TRUE(keeper.finish());
  EXPECT_EQ(keeper.counts().archived_segments, 4U);
  EXPECT_EQ(first_lsns(), first_lsns_);
}

TEST_F(LogKeeperTest, AFailureEndsItAndIsTold) {
  std::filesystem::remove_all(options_.folder);
  LogKeeper keeper(options_, [] { return kAll; });
  int failures = 0;
  keeper.start([&](const Error&) { ++failures; });
  EXPECT_FALSE(keeper.finish());
  EXPECT_EQ(failures, 1);
}

}  // namespace
}  // namespace tapeworks::recorder
