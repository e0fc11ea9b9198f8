#include <algorithm>

#include <arrow/memory_pool.h>

#include "recorder/sink/sink_test_support.h"
#include "storage/memory_budget.h"

namespace tapeworks::recorder {
namespace {

constexpr int kSymbols = 450;
constexpr int kHours = 4;
constexpr int kRoundsPerHour = 6;
constexpr uint64_t kBufferBytes = 3 * kMiB;

/// One frame of each of three streams of each symbol.
void feed_round(Sink& sink, int round, int64_t time_ns, uint64_t& lsn) {
  LogRecord record;
  record.kind = static_cast<uint8_t>(LogKind::kFrame);
  record.source = encode_source(source_of(Venue::kBinanceSpot));
  record.connection = 1;
  record.wall_time_ns = time_ns;
  for (int number = 0; number < kSymbols; ++number) {
    const std::string symbol = fmt::format("S{}USDT", number);
    for (const std::string& frame : {binance_trade(symbol, round, time_ns),
                                     binance_book(symbol, round), binance_depth(symbol, round)}) {
      record.lsn = ++lsn;
      record.payload = std::as_bytes(std::span(frame));
      const Status consumed = sink.consume(record);
      ASSERT_TRUE(consumed) << consumed.error().message;
      ASSERT_LE(sink.status().buffered_bytes, kBufferBytes);
    }
    // Some steps of merges, as between the records of a quiet moment.
    for (int step = 0; step < 4; ++step) ASSERT_TRUE(sink.work());
  }
}

TEST(SinkMemory, HoursOfManySymbolsReachAPlateauWithinTheBudget) {
  const ScratchFolder scratch = make_scratch();
  SinkOptions options;
  options.output_dir = scratch.path() / "out";
  options.buffer_bytes = kBufferBytes;
  const auto sink = open_sink(options);
  ASSERT_NE(sink, nullptr);
  uint64_t lsn = 0;
  int64_t time_ns = SyntheticLog::kBeginNs;
  [[maybe_unused]] uint64_t plateau_bytes = 0;
  int round = 0;
  for (int hour = 0; hour < kHours; ++hour) {
    for (int i = 0; i < kRoundsPerHour; ++i) {
      time_ns += kHourNs / kRoundsPerHour;
      feed_round(*sink, ++round, time_ns, lsn);
      if (testing::Test::HasFatalFailure()) return;
    }
    if (hour == 1) plateau_bytes = resident_bytes();
  }
  // Sanitizers keep freed memory for a while.
#ifndef TAPEWORKS_SANITIZED
  constexpr uint64_t kNoiseBytes = 16 * kMiB;
  EXPECT_LT(resident_bytes(), plateau_bytes + kNoiseBytes);
#endif
  EXPECT_LE(sink->status().open_partitions, 2U * kSymbols + 2);
  EXPECT_LE(sink->status().waiting_merges, 2U * kSymbols);
  ASSERT_TRUE(sink->finish());
  EXPECT_EQ(sink->counts().rows, uint64_t{kSymbols} * 3 * kHours * kRoundsPerHour);
}

struct SinkUnderTest {
  explicit SinkUnderTest(SinkOptions options) {
    options.output_dir = scratch.path() / "out";
    auto opened = Sink::open(options, &pool);
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
    if (opened) sink = std::move(*opened);
    record.source = encode_source(source_of(Venue::kBinanceSpot));
    record.connection = 1;
    record.wall_time_ns = SyntheticLog::kBeginNs;
  }

  void consume(LogKind kind, const std::string& payload) {
    record.kind = static_cast<uint8_t>(kind);
    ++record.lsn;
    record.payload = std::as_bytes(std::span(payload));
    const Status consumed = sink->consume(record);
    ASSERT_TRUE(consumed) << consumed.error().message;
  }
  void consume_depth(const std::string& symbol, int64_t update, int64_t later_ns) {
    record.wall_time_ns += later_ns;
    consume(LogKind::kFrame, binance_depth(symbol, update));
  }
  void make_files() {
    for (bool did_work = true; did_work;) {
      const auto worked = sink->work();
      ASSERT_TRUE(worked) << worked.error().message;
      did_work = *worked;
    }
  }

  ScratchFolder scratch = make_scratch();
  arrow::ProxyMemoryPool pool{arrow::system_memory_pool()};
  std::unique_ptr<Sink> sink;
  LogRecord record;
};

/// Little room for rows: parts are made for want of it alone.
SinkOptions options_of_a_small_buffer() {
  SinkOptions options;
  options.buffer_bytes = 1 * kMiB;
  options.part_age_ns = kHourNs;
  options.idle_close_ns = kHourNs;
  return options;
}

/// The first of the causes in docs/memory.md: symbols that hardly speak fill the buffer slowly, and
/// memory rises for as long as that takes.
TEST(SinkMemory, QuietSymbolsFillTheBufferAndThenItStays) {
  constexpr int kQuietSymbols = 60;
  constexpr int kRounds = 240;
  const SinkOptions options = options_of_a_small_buffer();
  SinkUnderTest test(options);
  ASSERT_NE(test.sink, nullptr);
  std::vector<SinkStatus> rounds;
  for (int round = 0; round < kRounds; ++round) {
    for (int number = 0; number < kQuietSymbols; ++number) {
      test.consume_depth(fmt::format("S{}USDT", number), round, number == 0 ? 2 * kSecondNs : 0);
    }
    rounds.push_back(test.sink->status());
  }
  const auto full =
      std::ranges::find_if(rounds, [](const SinkStatus& status) { return status.evictions > 0; });
  ASSERT_NE(full, rounds.end());
  // It rises, a chunk of each symbol after the other, until the first part is made for want of
  // room.
  EXPECT_LT(rounds.front().buffered_bytes, options.buffer_bytes / 2);
  EXPECT_TRUE(std::ranges::is_sorted(rounds.begin(), full, {}, &SinkStatus::buffered_bytes));
  EXPECT_GT(full - rounds.begin(), kRounds / 10);
  EXPECT_GT(rounds.end() - full, kRounds / 2);
  for (auto round = full; round != rounds.end(); ++round) {
    EXPECT_LE(round->buffered_bytes, options.buffer_bytes);
    EXPECT_GT(round->buffered_bytes, options.buffer_bytes * 3 / 4);
    EXPECT_EQ(round->state_bytes, full->state_bytes);
  }
}

/// Half of the symbols get a hundred times the rows of the other half.
TEST(SinkMemory, QuietPartitionsDoNotKeepTheBufferFromBusyOnes) {
  constexpr int kPairs = 50;
  constexpr int kBusyRows = 100;
  constexpr int kRounds = 60;
  SinkUnderTest test(options_of_a_small_buffer());
  ASSERT_NE(test.sink, nullptr);
  int64_t update = 0;
  const auto feed_one = [&](const std::string& symbol) {
    test.consume_depth(symbol, ++update, kSecondNs / 100);
  };
  for (int round = 0; round < kRounds; ++round) {
    for (int row = 0; row < kBusyRows; ++row) {
      for (int pair = 0; pair < kPairs; ++pair) feed_one(fmt::format("BUSY{}USDT", pair));
    }
    for (int pair = 0; pair < kPairs; ++pair) feed_one(fmt::format("QUIET{}USDT", pair));
  }
  // By bytes alone, where the quiet ones come to hold half of it, it is 62.
  const double rows_a_part =
      static_cast<double>(update) / static_cast<double>(test.sink->status().evictions);
  EXPECT_GT(rows_a_part, 80);
}

/// What Arrow holds at the most while files of full row groups are made, and made again because
/// their hour got more rows.
TEST(SinkMemory, AMergeNeedsNoRowGroupOfColumns) {
  constexpr int kFrames = 2 * 65'536 + 1000;
  SinkUnderTest test({});
  ASSERT_NE(test.sink, nullptr);
  for (int frame = 0; frame < kFrames; ++frame) {
    test.consume(LogKind::kFrame, binance_depth("BUSYUSDT", frame));
  }
  test.consume(LogKind::kStop, "{}");
  test.make_files();
  // The open hour was published; it gets more, and is over.
  test.consume(LogKind::kFrame, binance_depth("BUSYUSDT", kFrames));
  test.record.wall_time_ns += kHourNs;
  test.consume(LogKind::kHeartbeat, "");
  test.make_files();
  EXPECT_EQ(published_keys(test.scratch.path() / "out").size(), size_t{kFrames} + 1);
  // As columns these rows would take 25 MiB a row group.
  EXPECT_LT(test.pool.max_memory(), static_cast<int64_t>(12 * kMiB));
}

/// While large rows are joined, those that wait make room for them, part by part.
TEST(SinkMemory, RowsMakeRoomForAMerge) {
  constexpr int kFrames = 40;
  SinkOptions options;
  options.buffer_bytes = 12 * kMiB;
  options.memory_bytes = 13 * kMiB;
  options.part_rows = 1'000'000;
  SinkUnderTest test(options);
  ASSERT_NE(test.sink, nullptr);
  const std::string frame(1 * kMiB, 'x');
  for (int i = 0; i < kFrames; ++i) test.consume(LogKind::kFrame, frame);
  test.record.wall_time_ns += kHourNs;
  int64_t update = 0;
  while (test.sink->status().buffered_bytes < options.buffer_bytes - kMiB) {
    test.consume_depth(fmt::format("S{}USDT", update % 20), update, 0);
    ++update;
  }
  ASSERT_GT(test.sink->status().waiting_merges, 0U);
  uint64_t columns_most = 0;
  uint64_t rows_least = options.buffer_bytes;
  for (bool did_work = true; did_work;) {
    const auto worked = test.sink->work();
    ASSERT_TRUE(worked) << worked.error().message;
    did_work = *worked;
    test.consume_depth(fmt::format("S{}USDT", update % 20), update, 0);
    ++update;
    const SinkStatus status = test.sink->status();
    columns_most = std::max(columns_most, status.column_bytes);
    rows_least = std::min(rows_least, status.buffered_bytes);
    const uint64_t others = status.column_bytes + status.state_bytes;
    const uint64_t left = options.memory_bytes - std::min(options.memory_bytes, others);
    EXPECT_LE(status.buffered_bytes, std::max(Sink::kRowBytesMin, left));
  }
  // It was needed: the files of these frames take more than the rows had left.
  EXPECT_GT(columns_most, options.memory_bytes - options.buffer_bytes);
  EXPECT_LT(rows_least, options.buffer_bytes / 2);
}

/// Frames that nobody understands are kept whole, and a frame may have 16 MiB.
TEST(SinkMemory, LargeRowsAreNotHeldByThousands) {
  constexpr int kFrames = 60;
  SinkUnderTest test({});
  ASSERT_NE(test.sink, nullptr);
  std::mt19937 random(1);
  std::string frame(1 * kMiB, 'x');
  for (int i = 0; i < kFrames; ++i) {
    for (char& letter : frame) letter = static_cast<char>('a' + random() % 16);
    test.consume(LogKind::kFrame, frame);
  }
  test.consume(LogKind::kStop, "{}");
  test.make_files();
  test.consume(LogKind::kFrame, frame);
  test.record.wall_time_ns += kHourNs;
  test.consume(LogKind::kHeartbeat, "");
  test.make_files();
  // However the rows came: pages of four, row groups of four pages.
  int file_count = 0;
  std::vector<int64_t> row_group_rows;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(test.scratch.path() / "out")) {
    if (entry.path().parent_path().filename() != "_quarantine") continue;
    const auto info = read_parquet_info(entry.path(), arrow::default_memory_pool());
    ASSERT_TRUE(info) << info.error().message;
    row_group_rows = info->row_group_rows;
    ++file_count;
  }
  EXPECT_EQ(file_count, 1);
  EXPECT_EQ(row_group_rows, (std::vector<int64_t>{16, 16, 16, kFrames + 1 - 3 * 16}));
  EXPECT_LT(test.pool.max_memory(), static_cast<int64_t>(80 * kMiB));
}

}  // namespace
}  // namespace tapeworks::recorder
