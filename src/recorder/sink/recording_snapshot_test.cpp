#include "recorder/sink/recording_snapshot.h"

#include "recorder/sink/sink_test_support.h"
#include "storage/log_writer.h"

namespace tapeworks::recorder {
namespace {

namespace fs = std::filesystem;

const LogSource kSpot = source_of(Venue::kBinanceSpot);

/// A recorder at work: its sink is somewhere behind a real log, and is looked at from outside.
class RecordingSnapshotTest : public testing::Test {
 protected:
  RecordingSnapshotTest() {
    sink_options_.output_dir = scratch_.path() / "out";
    sink_options_.part_rows = 16;
    options_.output_dir = sink_options_.output_dir;
    options_.log_dir = scratch_.path() / "log";
    options_.scratch_dir = scratch_.path() / "scratch";
    options_.buffer_bytes = 64 * kKiB;
    EXPECT_TRUE(make_folders(options_.scratch_dir));
    log_.event(LogKind::kSubscription, {.symbols = {"AAA", "BBB"}}, kSpot);
    for (int hour = 0; hour < 3; ++hour) {
      for (int i = 0; i < 100; ++i) {
        ++id_;
        log_.append(LogKind::kFrame,
                    binance_trade(id_ % 3 == 0 ? "BBB" : "AAA", id_, log_.time_ns()), kSpot);
        log_.advance(kSecondNs);
      }
      log_.set_time(floor_time(log_.time_ns(), kHourNs) + kHourNs + 6 * kSecondNs);
      log_.heartbeat();
    }
    write_log();
  }

  /// The records of the synthetic log in segments, by a writer whose numbers are the same.
  void write_log() {
    LogWriterOptions options;
    options.segment_bytes = LogWriterOptions::kSegmentBytesMin;
    size_t next = 1;  // the start record is the writer's own
    options.now = [] { return LogTimes{SyntheticLog::kBeginNs, 0}; };
    auto writer = LogWriter::open(options_.log_dir, options);
    ASSERT_TRUE(writer) << writer.error().message;
    for (; next < log_.size(); ++next) {
      const LogRecord record = log_.record(next);
      ASSERT_EQ(writer->append(record, std::chrono::seconds(10)).value(), record.lsn);
    }
    ASSERT_TRUE(writer->close());
  }

  std::set<RowKey> all_keys() {
    SinkOptions options = sink_options_;
    options.output_dir = scratch_.path() / "reference";
    auto sink = open_sink(options);
    for (size_t i = 0; i < log_.size(); ++i) EXPECT_TRUE(feed(*sink, log_, i));
    log_.stop();
    EXPECT_TRUE(feed(*sink, log_, log_.size() - 1));
    EXPECT_TRUE(sink->finish());
    return published_keys(options.output_dir);
  }

  RecordingSnapshot snapshot() {
    auto taken = take_recording_snapshot(options_, arrow::default_memory_pool());
    EXPECT_TRUE(taken) << taken.error().message;
    return taken ? std::move(*taken) : RecordingSnapshot();
  }

  /// The keys of all rows that count, read as SQL would.
  static void add_keys(const SnapshotFile& file, uint64_t last_lsn, std::set<RowKey>& keys) {
    const auto rows = read_parquet(file.path, {"lsn", "frame_index"}, arrow::default_memory_pool());
    ASSERT_TRUE(rows) << rows.error().message;
    if ((*rows)->num_rows() == 0) return;
    const auto flat = (*rows)->CombineChunks().ValueOrDie();
    const auto& lsns = static_cast<const arrow::UInt64Array&>(*flat->column(0)->chunk(0));
    const auto& indices = static_cast<const arrow::Int32Array&>(*flat->column(1)->chunk(0));
    for (int64_t row = 0; row < lsns.length(); ++row) {
      if (lsns.Value(row) > last_lsn) continue;
      const RowKey key{lsns.Value(row), indices.Value(row)};
      EXPECT_TRUE(keys.insert(key).second) << file.path << ": " << key.first << " counts twice";
    }
  }
  static std::set<RowKey> keys_of(const RecordingSnapshot& snapshot) {
    std::set<RowKey> keys;
    const SnapshotTable& rows = snapshot.of(TableKind::kRows);
    for (const auto& file : rows.published) add_keys(file, snapshot.checkpoint_lsn, keys);
    for (const auto& file : rows.growing) add_keys(file, file.last_lsn, keys);
    for (const auto& file : rows.parts) add_keys(file, snapshot.checkpoint_lsn, keys);
    for (const auto& file : rows.tail) add_keys(file, snapshot.last_lsn, keys);
    return keys;
  }

  ScratchFolder scratch_ = make_scratch();
  SinkOptions sink_options_;
  SnapshotOptions options_;
  SyntheticLog log_;
  int64_t id_ = 0;
};

TEST_F(RecordingSnapshotTest, EachRowCountsOnceWhereverTheSinkIs) {
  const std::set<RowKey> all = all_keys();
  ASSERT_EQ(all.size(), 300U);
  const uint64_t last_lsn = log_.next_lsn() - 2;  // but for the stop
  auto sink = open_sink(sink_options_);
  EXPECT_EQ(keys_of(snapshot()), all) << "before the first record";
  for (size_t i = 0; i + 1 < log_.size(); ++i) {
    ASSERT_TRUE(feed(*sink, log_, i));
    // Now behind with merging, now not.
    if (i % 5 != 0) {
      ASSERT_TRUE(sink->work());
    }
    if (i % 28 == 0) {
      ASSERT_TRUE(sink->save_space());
    }
    const RecordingSnapshot taken = snapshot();
    ASSERT_EQ(keys_of(taken), all)
        << "after record " << i << ", checkpoint " << taken.checkpoint_lsn;
    ASSERT_EQ(taken.last_lsn, last_lsn);
  }
}

TEST_F(RecordingSnapshotTest, WhatIsPublishedOrRemovedAfterItChangesNothing) {
  const std::set<RowKey> all = all_keys();
  auto sink = open_sink(sink_options_);
  size_t given = 0;
  for (; given < 30; ++given) ASSERT_TRUE(feed(*sink, log_, given));
  ASSERT_TRUE(sink->save_space());
  const RecordingSnapshot early = snapshot();
  EXPECT_FALSE(early.of(TableKind::kRows).parts.empty());
  for (; given < log_.size(); ++given) ASSERT_TRUE(feed(*sink, log_, given));
  while (sink->work().value()) {
  }
  ASSERT_TRUE(sink->save_space());
  while (sink->work().value()) {
  }
  EXPECT_EQ(keys_of(early), all) << "its parts are gone, and its files were replaced";
}

TEST_F(RecordingSnapshotTest, AStoppedHourThatGoesOnIsAFileThatGrows) {
  auto sink = open_sink(sink_options_);
  for (size_t i = 0; i < 20; ++i) ASSERT_TRUE(feed(*sink, log_, i));
  LogRecord stop = log_.record(20);
  stop.kind = static_cast<uint8_t>(LogKind::kStop);
  stop.payload = {};
  ASSERT_TRUE(sink->consume(stop));
  while (sink->work().value()) {
  }
  for (size_t i = 21; i < 40; ++i) ASSERT_TRUE(feed(*sink, log_, i));
  ASSERT_TRUE(sink->save_space());
  const RecordingSnapshot taken = snapshot();
  ASSERT_FALSE(taken.of(TableKind::kRows).growing.empty());
  const std::set<RowKey> before = keys_of(taken);
  // The hour ends: its file gets the rows of the parts, and the snapshot must not see them twice.
  for (size_t i = 40; i < log_.size(); ++i) ASSERT_TRUE(feed(*sink, log_, i));
  while (sink->work().value()) {
  }
  EXPECT_EQ(keys_of(taken), before);
}

TEST_F(RecordingSnapshotTest, WithoutALogItEndsAtTheCheckpoint) {
  auto sink = open_sink(sink_options_);
  for (size_t i = 0; i < 100; ++i) ASSERT_TRUE(feed(*sink, log_, i));
  ASSERT_TRUE(sink->save_space());
  for (size_t i = 100; i < 120; ++i) ASSERT_TRUE(feed(*sink, log_, i));
  options_.log_dir.clear();
  const RecordingSnapshot taken = snapshot();
  EXPECT_EQ(taken.last_lsn, log_.record(99).lsn);
  for (const RowKey& key : keys_of(taken)) EXPECT_LE(key.first, taken.last_lsn);
}

TEST_F(RecordingSnapshotTest, ACopyOfPublishedFilesIsARecordingToo) {
  const std::set<RowKey> all = all_keys();
  options_.output_dir = scratch_.path() / "reference";
  options_.log_dir.clear();
  fs::remove_all(options_.output_dir / ".parts");
  EXPECT_EQ(keys_of(snapshot()), all);
  options_.output_dir = options_.scratch_dir;
  const auto none = take_recording_snapshot(options_, arrow::default_memory_pool());
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::kInvalidArgument);
}

TEST_F(RecordingSnapshotTest, RecordsThatTheLogHasLostAreCountedAndTheRestIsThere) {
  auto segments = fs::directory_iterator(options_.log_dir);
  std::vector<fs::path> paths;
  for (const auto& entry : segments) {
    if (entry.path().extension() == ".wal") paths.push_back(entry.path());
  }
  std::ranges::sort(paths);
  auto bytes = read_text_file(paths.front()).value();
  ASSERT_GT(bytes.size(), kLogBlockBytes * 3 / 2) << "something intact must follow the damage";
  bytes[bytes.size() / 4] ^= 1;
  ASSERT_TRUE(replace_text_file(paths.front(), options_.scratch_dir / "damaged", bytes));
  auto sink = open_sink(sink_options_);
  const RecordingSnapshot taken = snapshot();
  EXPECT_GT(taken.lost_records, 0U);
  EXPECT_GT(taken.of(TableKind::kGaps).tail.size(), 0U);
}

}  // namespace
}  // namespace tapeworks::recorder
