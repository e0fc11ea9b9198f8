#include <memory>
#include <random>

#include "recorder/sink/sink_test_support.h"

namespace tapeworks::recorder {
namespace {

/// Hours of several venues, with all that makes hours awkward: silence, clock steps in both
/// directions, restarts with and without a stop, late rows, repeats, holes and rubbish.
SyntheticLog random_log(uint32_t seed, int record_count) {
  std::mt19937 random(seed);
  SyntheticLog log;
  int64_t trade_id = 1'000;
  int64_t update = 50'000;
  int64_t hole_end = 0;
  std::vector<std::string> trades{binance_trade("AAA", trade_id, log.time_ns())};
  const std::vector<std::string> symbols{"AAA", "BBB", "Ccc", "币安人生USDT"};
  for (uint32_t connection = 1; connection <= 3; ++connection) {
    log.event(LogKind::kSubscription, {.symbols = symbols}, source_of(Venue::kBinanceSpot),
              connection);
  }
  for (int i = 0; i < record_count; ++i) {
    log.advance(static_cast<int64_t>(random() % 20'000) * 1'000'000);
    const std::string& symbol = symbols[random() % symbols.size()];
    const auto connection = static_cast<uint32_t>(1 + random() % 3);
    const LogSource spot = source_of(Venue::kBinanceSpot);
    switch (random() % 44) {
      case 0:
        log.advance(static_cast<int64_t>(random() % 40) * 60 * kSecondNs);
        log.heartbeat();
        break;
      case 1:
        log.advance(-static_cast<int64_t>(random() % 90) * 60 * kSecondNs);
        log.event(LogKind::kClockStep, {.count = -1}, spot, connection);
        break;
      case 2:
        if (random() % 2 == 0) log.stop();
        log.restart();
        break;
      case 3:
        log.event(LogKind::kDisconnect, {.cause = "timeout"}, spot, connection);
        break;
      case 4:
        log.event(LogKind::kConnect, {.url = "wss://x"}, spot, connection);
        break;
      case 5:
        log.append(LogKind::kFrame, R"({"broken":)", spot, connection);
        break;
      case 6:
        trade_id += 3;  // a hole
        hole_end = trade_id;
        break;
      case 7:
      case 40:
      case 41:
      case 42:
        // a repeat
        log.append(LogKind::kFrame, trades[random() % trades.size()], spot, connection);
        break;
      case 8:
        // For the last hole, perhaps before it shows, perhaps in two answers, of hours before.
        log.event(LogKind::kBackfill,
                  backfill_event("AAA", hole_end - 2, hole_end, kBackfillPage,
                                 binance_trade_page(
                                     {hole_end - static_cast<int64_t>(random() % 3), hole_end},
                                     log.time_ns() - static_cast<int64_t>(random() % 5) * kHourNs)),
                  spot, 0);
        if (random() % 2 == 0) {
          log.event(LogKind::kBackfill,
                    backfill_event("AAA", hole_end - 2, hole_end, "partly_filled", "no more"), spot,
                    0);
        }
        break;
      case 9:
        log.append(LogKind::kFrame, R"({"result":null,"id":3})", spot, connection);
        break;
      case 10:
      case 11:
      case 12:
        log.append(LogKind::kFrame, gate_book("X_USDT", ++update, log.time_ns()),
                   source_of(Venue::kGateFutures), 4);
        break;
      case 13:
      case 14:
        log.append(LogKind::kFrame, kucoin_match("A-B", ++update, log.time_ns()),
                   source_of(Venue::kKucoinSpot), 5);
        break;
      case 15:
      case 16:
      case 17:
      case 18:
      case 19:
        log.append(LogKind::kFrame, binance_depth(symbol, ++update), spot, connection);
        break;
      case 20:
      case 21:
      case 22:
      case 23:
      case 24:
        log.append(LogKind::kFrame, binance_book(symbol, ++update), spot, connection);
        break;
      default:
        trades.push_back(binance_trade("AAA", ++trade_id, log.time_ns()));
        log.append(LogKind::kFrame, trades.back(), spot, connection);
    }
  }
  log.stop();
  return log;
}

/// What decides about the bytes is fixed; what must not is not.
SinkOptions random_options(const std::filesystem::path& folder, Layout layout,
                           std::mt19937& random) {
  SinkOptions options;
  options.output_dir = folder;
  options.layout = layout;
  options.rules.row_group_rows = 100;
  options.buffer_bytes = 8 * kKiB << (random() % 8);
  options.part_rows = 1 + random() % 200;
  options.part_age_ns = static_cast<int64_t>(1 + random() % 600) * kSecondNs;
  options.idle_close_ns = static_cast<int64_t>(1 + random() % 600) * kSecondNs;
  options.parts_linger_ns = static_cast<int64_t>(random() % 300) * kSecondNs;
  options.checkpoint_interval_ns = static_cast<int64_t>(1 + random() % 600) * kSecondNs;
  return options;
}

Layout random_layout(uint32_t seed) {
  constexpr Layout kLayouts[] = {Layout::kSymbol, Layout::kMarket, Layout::kExchange};
  return kLayouts[seed % 3];
}

/// Runs to the end without a crash. Returns the rows it made.
uint64_t run_through(const SyntheticLog& log, const SinkOptions& options) {
  const auto sink = open_sink(options);
  for (size_t i = 0; i < log.size(); ++i) {
    const Status consumed = feed(*sink, log, i);
    EXPECT_TRUE(consumed) << consumed.error().message;
    if (!consumed) return 0;
  }
  const Status finished = sink->finish();
  EXPECT_TRUE(finished) << (finished ? "" : finished.error().message);
  return sink->counts().rows;
}

/// One life of a sink; true when it came to the end of the log.
Result<bool> live_once(const SyntheticLog& log, const SinkOptions& options, std::mt19937& random) {
  TW_ASSIGN(const auto sink, Sink::open(options, arrow::default_memory_pool()));
  // Some sinks keep up with their merges, others fall far behind.
  const auto idle_odds = static_cast<uint32_t>(2 + random() % 60);
  for (size_t i = 0; i < log.size(); ++i) {
    if (log.record(i).lsn < sink->next_lsn()) continue;
    TW_TRY(feed(*sink, log, i));
    while (random() % idle_odds == 0) {
      TW_ASSIGN(const bool more, sink->work());
      if (!more) break;
    }
    if (random() % 700 == 0) return false;  // no step in between: the process is just gone
  }
  TW_TRY(sink->finish());
  return true;
}

constexpr const char* kCrash = "a crash made for a test";

/// Runs with crashes at random steps until a sink comes to the end.
int run_with_crashes(const SyntheticLog& log, const std::filesystem::path& folder, Layout layout,
                     std::mt19937& random) {
  int crashes = 0;
  while (true) {
    SinkOptions options = random_options(folder, layout, random);
    int steps_left = static_cast<int>(random() % 400);
    options.probe = [&steps_left](std::string_view step) -> Status {
      if (steps_left-- > 0) return {};
      return io_error("{}: {}", kCrash, step);
    };
    const Result<bool> lived = live_once(log, options, random);
    EXPECT_TRUE(lived || lived.error().message.starts_with(kCrash)) << lived.error().message;
    if (!lived && !lived.error().message.starts_with(kCrash)) return crashes;
    published_keys(folder);  // at no moment is a row there twice
    if (lived && *lived) return crashes;
    ++crashes;
  }
}

void expect_same_content(const std::filesystem::path& left, const std::filesystem::path& right) {
  const auto expected = published_content(left);
  const auto got = published_content(right);
  for (const auto& [name, bytes] : expected) {
    const auto found = got.find(name);
    ASSERT_NE(found, got.end()) << name << " is missing";
    ASSERT_TRUE(found->second == bytes) << name << " has other bytes";
  }
  ASSERT_EQ(got.size(), expected.size());
}

class SinkCrashTest : public testing::TestWithParam<uint32_t> {
 protected:
  ScratchFolder scratch_ = make_scratch();
};

TEST_P(SinkCrashTest, AnyCrashesGiveTheFilesOfAnUndisturbedRun) {
  const uint32_t seed = GetParam();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  const Layout layout = random_layout(seed);
  const SyntheticLog log = random_log(seed, 1'200);
  const auto undisturbed = scratch_.path() / "undisturbed";
  const uint64_t rows = run_through(log, random_options(undisturbed, layout, random));
  EXPECT_EQ(published_keys(undisturbed).size(), rows);
  EXPECT_GT(rows, 500U);

  const auto crashed = scratch_.path() / "crashed";
  const int crashes = run_with_crashes(log, crashed, layout, random);
  EXPECT_GT(crashes, 3) << "too quiet to prove anything";
  expect_same_content(undisturbed, crashed);

  const auto replayed = scratch_.path() / "replayed";
  SinkOptions replay = random_options(replayed, layout, random);
  replay.replay = true;
  run_through(log, replay);
  expect_same_content(undisturbed, replayed);
  EXPECT_FALSE(std::filesystem::exists(replayed / ".replay-parts"));
}

INSTANTIATE_TEST_SUITE_P(Seeds, SinkCrashTest, testing::Range(uint32_t{1}, uint32_t{9}));

}  // namespace
}  // namespace tapeworks::recorder
