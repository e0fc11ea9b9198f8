#include "recorder/sink/state_files.h"

#include "recorder/sink/log_comparison.h"
#include "recorder/sink/recording_check.h"
#include "recorder/sink/replay.h"
#include "recorder/sink/sink_test_support.h"
#include "storage/log_archive.h"
#include "storage/log_segment_file.h"
#include "storage/log_writer.h"
#include "storage/memory_budget.h"

namespace tapeworks::recorder {
namespace {

namespace fs = std::filesystem;

const LogSource kSpot = source_of(Venue::kBinanceSpot);

/// A recording of five hours whose log loses its beginning. A connection is down from the first
/// hour to the fourth, and every hour begins with a repeat of the hour before.
class StateFilesTest : public testing::Test {
 protected:
  StateFilesTest() {
    log_.event(LogKind::kSubscription, {.symbols = {"AAA"}}, kSpot, 1);
    log_.event(LogKind::kConnect, {}, kSpot, 1);
    log_.event(LogKind::kSubscription, {.symbols = {"BBB"}}, kSpot, 2);
    log_.event(LogKind::kConnect, {}, kSpot, 2);
    log_.append(LogKind::kFrame, binance_trade("BBB", 1, log_.time_ns()), kSpot, 2);
    log_.event(LogKind::kDisconnect, {.cause = "disconnect"}, kSpot, 2);
    for (int hour = 0; hour < 5; ++hour) {
      trade(id_);  // again
      for (int i = 0; i < 400; ++i) trade(++id_);
      if (hour == 3) {
        log_.event(LogKind::kSubscription, {.symbols = {"BBB"}}, kSpot, 2);
        log_.event(LogKind::kConnect, {}, kSpot, 2);
      }
      log_.set_time(floor_time(log_.time_ns(), kHourNs) + kHourNs + 6 * kSecondNs);
      log_.heartbeat();
    }
    write_log();
    options_.output_dir = scratch_.path() / "recorded";
    options_.log_dir = log_dir_;
    auto sink = open_sink(options_);
    for (size_t i = 0; i < log_.size(); ++i) EXPECT_TRUE(feed(*sink, log_, i));
    EXPECT_TRUE(sink->finish());
  }

  void trade(int64_t id) {
    log_.append(LogKind::kFrame, binance_trade("AAA", id, 1'700'000'000 * kSecondNs), kSpot, 1);
  }
  void write_log() {
    LogWriterOptions options;
    options.segment_bytes = LogWriterOptions::kSegmentBytesMin;
    options.now = [] { return LogTimes{SyntheticLog::kBeginNs, 0}; };
    auto writer = LogWriter::open(log_dir_, options).value();
    for (size_t i = 1; i < log_.size(); ++i) {
      ASSERT_EQ(writer.append(log_.record(i), std::chrono::seconds(10)).value(),
                log_.record(i).lsn);
    }
    ASSERT_TRUE(writer.close());
  }
  size_t state_count() const {
    size_t count = 0;
    for (const auto& entry : fs::directory_iterator(log_dir_ / "states")) {
      EXPECT_EQ(entry.path().extension(), ".state");
      ++count;
    }
    return count;
  }
  /// Removes all segments before the one that holds the end of the second hour.
  void shorten_log() {
    const auto removed = remove_segments_before(log_dir_, 900);
    ASSERT_TRUE(removed);
    ASSERT_GT(removed->done.size(), 1U);
  }
  ReplayResult replay() {
    ReplayOptions options;
    options.wal_dir = log_dir_;
    options.sink.output_dir = scratch_.path() / "again";
    fs::remove_all(options.sink.output_dir);
    auto result = replay_log(options, arrow::default_memory_pool());
    EXPECT_TRUE(result) << result.error().message;
    return result.value_or(ReplayResult());
  }
  RecordingCheck check_by_log() {
    const fs::path made = scratch_.path() / "compared";
    fs::remove_all(made);
    fs::create_directories(made);
    const auto budget = MemoryBudget::create(256 * kMiB).value();
    const auto log = LogComparison::make({.output_dir = options_.output_dir,
                                          .wal_dir = log_dir_,
                                          .scratch_dir = made,
                                          .buffer_bytes = 8 * kMiB},
                                         budget->pool());
    EXPECT_TRUE(log) << log.error().message;
    unpublished_.clear();
    const auto take = [&](const CoverageRow& row) {
      if (row.detail.contains("not published")) unpublished_.push_back(row.path);
      return Status();
    };
    const auto checked = check_recording(options_.output_dir, *budget, take, log ? &*log : nullptr);
    EXPECT_TRUE(checked) << checked.error().message;
    return checked.value_or(RecordingCheck());
  }
  /// The hours of the first symbol with the bytes that they were recorded with.
  std::set<std::string> equal_hours() const {
    const auto recorded = published_content(options_.output_dir);
    std::set<std::string> hours;
    for (const auto& [path, bytes] : published_content(scratch_.path() / "again")) {
      const auto found = recorded.find(path);
      const bool is_hour = path.starts_with("binance_spot/AAA/");
      if (is_hour && found != recorded.end() && found->second == bytes) {
        hours.insert(fs::path(path).stem().string());
      }
    }
    return hours;
  }

  ScratchFolder scratch_ = make_scratch();
  fs::path log_dir_ = scratch_.path() / "log";
  SinkOptions options_;
  SyntheticLog log_;
  int64_t id_ = 0;
  std::vector<std::string> unpublished_;  ///< as the last check found
};

using Hours = std::set<std::string>;

TEST_F(StateFilesTest, AShortenedLogGivesTheSameBytesForTheHoursThatItHasWholly) {
  EXPECT_EQ(state_count(), 5U);
  shorten_log();
  const ReplayResult result = replay();
  EXPECT_TRUE(result.is_exact);
  ASSERT_TRUE(result.whole_from_ns);
  EXPECT_EQ(hour_text(*result.whole_from_ns), "00");
  EXPECT_EQ(equal_hours(), (Hours{"00", "01", "02"}));
}

TEST_F(StateFilesTest, WithoutStatesTheGapAndTheRepeatAreNotKnown) {
  shorten_log();
  fs::remove_all(log_dir_ / "states");
  EXPECT_FALSE(replay().is_exact);
  EXPECT_EQ(equal_hours(), Hours{"02"});
}

TEST_F(StateFilesTest, AWholeLogTellsOfEveryFile) {
  const RecordingCheck check = check_by_log();
  EXPECT_EQ(check.failed_count, 0U);
  EXPECT_EQ(check.as_in_log_count, check.file_count);
}

TEST_F(StateFilesTest, AShortenedLogTellsOfTheHoursThatItHasWhole) {
  shorten_log();
  const RecordingCheck check = check_by_log();
  EXPECT_EQ(check.failed_count, 0U);
  EXPECT_EQ(check.as_in_log_count, 5U) << "hours 00, 01 and 02, events and gaps of their day";
}

TEST_F(StateFilesTest, WithoutStatesAShortenedLogTellsOfNoFile) {
  shorten_log();
  fs::remove_all(log_dir_ / "states");
  const RecordingCheck check = check_by_log();
  EXPECT_EQ(check.failed_count, 0U);
  EXPECT_EQ(check.as_in_log_count, 0U);
}

TEST_F(StateFilesTest, AFileThatIsNotThereIsDueUnlessRetentionMayHaveTakenIt) {
  const auto forget = [&](const std::string& path, const std::string& list) {
    const ManifestEntry entry{.path = path};
    RecordingManifest manifest(options_.output_dir, options_.layout);
    ASSERT_TRUE(manifest.remove_files(list, {entry}, scratch_.path() / "manifest"));
    ASSERT_TRUE(fs::remove(options_.output_dir / path));
  };
  forget("binance_spot/AAA/2023-11-14/22.parquet", "2023-11-14/22");
  forget("binance_spot/BBB/2023-11-14/22.parquet", "2023-11-14/22");
  check_by_log();
  EXPECT_EQ(unpublished_, std::vector<std::string>()) << "the oldest hour";
  forget("binance_spot/AAA/2023-11-15/00.parquet", "2023-11-15/00");
  check_by_log();
  EXPECT_EQ(unpublished_, std::vector<std::string>{"binance_spot/AAA/2023-11-15/00.parquet"});
}

TEST_F(StateFilesTest, ADamagedStateIsPassedOver) {
  shorten_log();
  const auto oldest = find_state(log_dir_).value();
  ASSERT_TRUE(oldest);
  const uint64_t oldest_lsn = oldest->state.lsn;
  const fs::path path = log_dir_ / "states" / fmt::format("{:020}.state", oldest_lsn);
  std::string bytes = read_text_file(path).value();
  bytes[bytes.size() / 2] ^= 1;
  ASSERT_TRUE(replace_text_file(path, scratch_.path() / "damaged", bytes));
  const auto next = find_state(log_dir_).value();
  ASSERT_TRUE(next);
  EXPECT_GT(next->state.lsn, oldest_lsn);
  replay();
  EXPECT_EQ(equal_hours(), (Hours{"01", "02"}));
}

TEST_F(StateFilesTest, StatesThatTheLogHasOutlivedGo) {
  shorten_log();
  LogState state{RowRules()};
  state.lsn = log_.next_lsn();
  ASSERT_TRUE(write_state_file(log_dir_, Layout::kSymbol, state));
  EXPECT_EQ(state_count(), 5U) << "one went, and this one came";
}

TEST_F(StateFilesTest, OfTooManyEverySecondGoesAndTheOldestStays) {
  const uint64_t oldest = find_state(log_dir_).value()->state.lsn;
  for (uint64_t i = 0; i < 2 * kStateFilesMax; ++i) {
    LogState state{RowRules()};
    state.lsn = log_.next_lsn() + i;
    ASSERT_TRUE(write_state_file(log_dir_, Layout::kSymbol, state));
    EXPECT_LE(state_count(), kStateFilesMax);
  }
  EXPECT_EQ(find_state(log_dir_).value()->state.lsn, oldest);
  EXPECT_GT(state_count(), kStateFilesMax / 2 - 1);
}

}  // namespace
}  // namespace tapeworks::recorder
