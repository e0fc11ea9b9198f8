#include "recorder/shard_runner.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <set>

#include <gtest/gtest.h>
#include <unistd.h>

#include "recorder/net/http_server.h"
#include "recorder/stalling_disk_test_support.h"
#include "storage/log_reader.h"

namespace tapeworks::recorder {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

/// Acknowledges what clients ask for, then sends numbered trades to all of them, as fast as they
/// are taken.
class TradeServer final : public net::ServerHandler {
 public:
  explicit TradeServer(net::EventLoop& loop) : timer_(loop) {}

  net::HttpResponse on_request(const net::HttpRequest&) override { return {404}; }
  net::UpgradeDecision on_upgrade(const net::HttpRequest&) override { return {}; }
  void on_open(net::ServerConnection& connection, const net::HttpRequest&) override {
    connections_.insert(&connection);
    ++connection_count;
  }
  void on_frame(net::ServerConnection& connection, const net::ReceivedFrame&) override {
    ASSERT_TRUE(connection.send(net::Opcode::kText, R"({"result":null,"id":1})", 0));
    pump();
  }
  void on_closed(net::ServerConnection& connection, const net::CloseReport&) override {
    connections_.erase(&connection);
  }

  int sent_count = 0;
  int sent_max = 0;
  int sent_at_once = 20;
  std::string symbol = "BTCUSDT";
  int connection_count = 0;

 private:
  void pump() {
    for (int i = 0; i < sent_at_once && !connections_.empty() && sent_count < sent_max; ++i) {
      const int number = ++sent_count;
      const std::string trade = fmt::format(
          R"({{"stream":"x@trade","data":{{"e":"trade","E":1795260264661,"s":"{}","t":{},)"
          R"("p":"1.5","q":"2","T":1795260264661,"m":true,"M":true,"x":"{}"}}}})",
          symbol, number, std::string(500, 'x'));
      const bool is_sent =
          std::ranges::all_of(connections_, [&](net::ServerConnection* connection) {
            return connection->send(net::Opcode::kText, trade, 0).has_value();
          });
      if (!is_sent) {
        --sent_count;
        break;
      }
    }
    if (!connections_.empty() && sent_count < sent_max) timer_.start(1ms, [this] { pump(); });
  }

  net::Timer timer_;
  std::set<net::ServerConnection*> connections_;
};

class ShardRunnerTest : public testing::Test {
 protected:
  ShardRunnerTest() : server_(loop_), watch_(loop_) {
    folder_ = fs::path(testing::TempDir()) / ("shard-runner-" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    LogWriterOptions options;
    options.buffer_limit_bytes = 64 * kKiB;
    options.operations = &disk_;
    writer_ = std::make_unique<LogWriter>(LogWriter::open(folder_, options).value());
    log_ = std::make_unique<FrameLog>(*writer_);
    net::ServerOptions server_options;
    server_options.listen = {"127.0.0.1", 0};
    http_ = net::HttpServer::listen(loop_, server_options, server_).value();
    config_.symbols = {"BTCUSDT"};
    config_.streams = {Stream::kTrade};
    config_.venue = Venue::kBinanceSpot;
  }
  ~ShardRunnerTest() override {
    disk_.stall(false);
    runner_.reset();
    writer_.reset();
    fs::remove_all(folder_);
  }

  void start() {
    context_.reset(
        new FeedContext{.config = config_,
                        .loop = loop_,
                        .log = *log_,
                        .backlog = {},
                        .consumed_lsn = [this] { return consumed_lsn_; },
                        .fail = [](const Error& error) { ADD_FAILURE() << error.message; },
                        .stop_by_policy = [this](std::string why) { why_ = std::move(why); },
                        .say = [](std::string_view) {}});
    runner_ = std::make_unique<ShardRunner>(*context_, options_for({"BTCUSDT"}), budget_, 1, 1);
    runner_->start();
  }
  ConnectionOptions options_for(std::initializer_list<const char*> symbols) const {
    ConnectionOptions options;
    options.venue = config_.venue;
    for (const char* const symbol : symbols) options.keys.push_back({Stream::kTrade, symbol});
    options.url = fmt::format("ws://127.0.0.1:{}/stream", http_->port());
    return options;
  }

  /// Runs the loop until `done` holds; fails after a minute, which is long for a busy machine too.
  void run_until(const std::function<bool()>& done) {
    if (done()) return;
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    std::function<void()> look = [&] {
      if (done() || std::chrono::steady_clock::now() > deadline) {
        loop_.stop();
      } else {
        watch_.start(2ms, look);
      }
    };
    watch_.start(2ms, look);
    loop_.run();
    ASSERT_TRUE(done());
  }

  /// The trades in the log, in its order, and every kind of event.
  std::vector<int> trades_in_log() {
    EXPECT_TRUE(writer_->close());
    auto reader = LogReader::open(folder_).value();
    std::vector<int> trades;
    while (true) {
      const auto step = reader.next().value();
      const auto* record = std::get_if<LogRecord>(&step);
      if (record == nullptr) return trades;
      if (const auto kind = find_log_kind(record->kind)) kinds_.insert(*kind);
      const std::string_view payload(reinterpret_cast<const char*>(record->payload.data()),
                                     record->payload.size());
      const size_t at = payload.find("\"t\":");
      if (at != std::string_view::npos) trades.push_back(std::atoi(payload.data() + at + 4));
    }
  }

  std::vector<std::pair<LogKind, LogEvent>> events_in_log(std::set<LogKind> kinds) {
    EXPECT_TRUE(writer_->close());
    auto reader = LogReader::open(folder_).value();
    JsonDocument document;
    std::vector<std::pair<LogKind, LogEvent>> events;
    while (true) {
      const auto step = reader.next().value();
      const auto* record = std::get_if<LogRecord>(&step);
      if (record == nullptr) return events;
      const auto kind = find_log_kind(record->kind);
      if (!kind || !kinds.contains(*kind)) continue;
      const std::string_view payload(reinterpret_cast<const char*>(record->payload.data()),
                                     record->payload.size());
      events.emplace_back(*kind, decode_log_event(payload, document).value());
    }
  }
  std::vector<std::string> disconnect_causes() {
    std::vector<std::string> causes;
    for (const auto& [kind, event] : events_in_log({LogKind::kDisconnect})) {
      causes.push_back(event.cause);
    }
    return causes;
  }
  /// Every subscription and every symbol that comes or goes, in the order of the log.
  std::vector<std::string> symbol_story() {
    std::vector<std::string> story;
    for (const auto& [kind, event] : events_in_log({LogKind::kSubscription, LogKind::kSymbol})) {
      story.push_back(fmt::format("{} {}", kind == LogKind::kSymbol ? event.cause : "asks for",
                                  fmt::join(event.symbols, " ")));
    }
    return story;
  }

  void expect_each_once(const std::vector<int>& trades, int count) {
    ASSERT_EQ(trades.size(), static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) ASSERT_EQ(trades[static_cast<size_t>(i)], i + 1);
  }

  fs::path folder_;
  StallingDisk disk_;
  net::EventLoop loop_;
  TradeServer server_;
  net::Timer watch_;
  std::unique_ptr<net::HttpServer> http_;
  std::unique_ptr<LogWriter> writer_;
  std::unique_ptr<FrameLog> log_;
  FeedConfig config_;
  RateWindow budget_{100, 300s};
  std::unique_ptr<FeedContext> context_;
  std::unique_ptr<ShardRunner> runner_;
  std::string why_;
  uint64_t consumed_lsn_ = 0;
  std::set<LogKind> kinds_;
};

TEST_F(ShardRunnerTest, WhileTheDiskStallsTheSocketWaitsAndNothingIsLost) {
  server_.sent_max = 2'000;  // more than a megabyte: far above the log's buffer
  start();
  run_until([&] { return context_->frame_count > 50; });
  disk_.stall(true);
  run_until([&] { return context_->block_count > 0; });
  // A sync that was under way still makes room once.
  uint64_t stored = 0;
  run_until([&, looks = 0]() mutable {
    looks = context_->frame_count == stored ? looks + 1 : 0;
    stored = context_->frame_count;
    return looks > 50;
  });
  run_until([&, looks = 0]() mutable { return ++looks > 50; });
  EXPECT_EQ(context_->frame_count, stored);
  disk_.stall(false);
  run_until([&] { return context_->frame_count == 2'001; });  // and the acknowledgement
  expect_each_once(trades_in_log(), 2'000);
  EXPECT_EQ(server_.connection_count, 1);
  EXPECT_FALSE(kinds_.contains(LogKind::kDrop));
}

TEST_F(ShardRunnerTest, AfterBlockTimeoutTheConnectionIsReplacedOnceThereIsRoom) {
  config_.block_timeout = 50ms;
  server_.sent_max = 2'000;
  disk_.stall(true);
  start();
  run_until([&] { return context_->block_count > 0; });
  run_until([&, looks = 0]() mutable { return ++looks > 150; });
  EXPECT_EQ(server_.connection_count, 1);
  disk_.stall(false);
  run_until([&] { return server_.connection_count == 2; });
  run_until([&] { return runner_->is_connected(); });
  const std::vector<int> trades = trades_in_log();
  // What was received before is there, in order and once.
  for (size_t i = 1; i < trades.size(); ++i) ASSERT_LT(trades[i - 1], trades[i]);
  EXPECT_TRUE(kinds_.contains(LogKind::kDisconnect));
}

TEST_F(ShardRunnerTest, AfterBlockTimeoutTheRecordingEndsWhereThatIsWanted) {
  config_.block_timeout = 50ms;
  config_.on_block_timeout = BlockTimeoutAction::kExit;
  server_.sent_max = 2'000;
  disk_.stall(true);
  start();
  run_until([&] { return !why_.empty(); });
  EXPECT_NE(why_.find("block_timeout"), std::string::npos);
}

TEST_F(ShardRunnerTest, DropCountsAndNamesWhatItGivesUp) {
  config_.loss_policy = LossPolicy::kDrop;
  server_.sent_max = 1'000;
  disk_.stall(true);
  start();
  run_until([&] { return context_->dropped.total() > 100 && server_.sent_count == 1'000; });
  disk_.stall(false);
  server_.sent_max = 1'100;
  ASSERT_TRUE(writer_->flush());
  runner_->stop();
  // The log's memory comes free a moment after its records are durable.
  run_until([&] { return runner_->is_done() && *log_->append_waiting(); });
  const std::vector<int> trades = trades_in_log();
  EXPECT_TRUE(kinds_.contains(LogKind::kDrop));
  EXPECT_LT(trades.size(), 1'000U);
  EXPECT_EQ(context_->dropped.counts().at(DropCause::kLogFull).at("trade"),
            context_->dropped.total());
  EXPECT_EQ(why_, "");
}

// The sink has taken nothing, so that everything in the log is backlog.

TEST_F(ShardRunnerTest, ABacklogAboveItsLimitIsNothingToTheDefaultPolicy) {
  config_.backlog_limit.bytes = 10'000;
  server_.sent_max = 60;  // with the log's buffer, 64 KiB, there is room for all at once
  start();
  run_until([&] { return context_->frame_count > 60; });
  EXPECT_EQ(context_->block_count, 0U);
  EXPECT_EQ(context_->dropped.total(), 0U);
}

TEST_F(ShardRunnerTest, ABacklogAboveItsLimitBlocksTheSocketUntilTheSinkHasTakenIt) {
  config_.loss_policy = LossPolicy::kBlock;
  config_.backlog_limit.bytes = 10'000;
  server_.sent_max = 200;
  start();
  run_until([&] { return context_->block_count > 0; });
  const uint64_t before = context_->frame_count;
  EXPECT_LT(before, 200U);
  context_->backlog.mark(writer_->end_lsn());
  consumed_lsn_ = writer_->end_lsn();
  run_until([&] { return context_->frame_count > before; });
  EXPECT_EQ(context_->dropped.total(), 0U);
}

TEST_F(ShardRunnerTest, ABacklogAboveItsLimitEndsTheRecordingByExit) {
  config_.loss_policy = LossPolicy::kExit;
  config_.backlog_limit.bytes = 10'000;
  server_.sent_max = 200;
  start();
  run_until([&] { return !why_.empty(); });
  EXPECT_TRUE(why_.contains("more than the backlog_limit of 9.77 KiB waits to be made into files"))
      << why_;
  EXPECT_TRUE(why_.contains("first message at risk")) << why_;
}

TEST_F(ShardRunnerTest, ABacklogAboveItsLimitDrops) {
  config_.loss_policy = LossPolicy::kDrop;
  config_.backlog_limit.bytes = 10'000;
  server_.sent_max = 200;
  start();
  run_until([&] { return context_->dropped.total() > 10; });
  EXPECT_EQ(why_, "");
  EXPECT_EQ(context_->dropped.counts().at(DropCause::kBacklogFull).at("trade"),
            context_->dropped.total());
}

TEST_F(ShardRunnerTest, ARunnerThatWasStoppedForACauseStartsAgain) {
  server_.sent_max = 10;
  start();
  run_until([&] { return context_->frame_count >= 10; });
  runner_->stop("disk_full");
  run_until([&] { return runner_->is_done(); });
  server_.sent_max = 30;
  runner_->start();
  run_until([&] { return server_.connection_count == 2 && server_.sent_count == 30; });
  runner_->stop();
  run_until([&] { return runner_->is_done(); });
  ASSERT_TRUE(writer_->flush());
  const std::vector<std::string> causes = disconnect_causes();
  EXPECT_EQ(causes, (std::vector<std::string>{"disk_full", "stopped"}));
}

TEST_F(ShardRunnerTest, ExitNamesTheFirstMessageAtRiskAndKeepsIt) {
  config_.loss_policy = LossPolicy::kExit;
  server_.sent_max = 1'000;
  disk_.stall(true);
  start();
  run_until([&] { return !why_.empty(); });
  EXPECT_NE(why_.find("first message at risk"), std::string::npos);
  runner_->stop();
  disk_.stall(false);
  // The log's memory comes free a moment after its records are durable.
  run_until([&] { return runner_->store_all_refused(); });
  const std::vector<int> trades = trades_in_log();
  expect_each_once(trades, static_cast<int>(trades.size()));
}

TEST_F(ShardRunnerTest, ASymbolThatComesBackWhileItGoesIsRemovedBeforeItIsAskedForAgain) {
  server_.sent_max = 1'000'000;
  server_.sent_at_once = 1;
  start();
  run_until([this] { return server_.sent_count > 5; });
  runner_->reconfigure(options_for({"BTCUSDT", "ETHUSDT"}), "one");
  run_until([this] { return server_.connection_count == 2; });
  // Wished while the second connection takes over, which is the only one that has it.
  runner_->reconfigure(options_for({"BTCUSDT"}), "two");
  runner_->reconfigure(options_for({"BTCUSDT", "ETHUSDT"}), "three");
  run_until([this] { return server_.connection_count == 3 && runner_->live_count() == 1; });
  const int sent_count = server_.sent_count;
  run_until([&] { return server_.sent_count > sent_count + 4'000; });
  runner_->stop();
  run_until([this] { return runner_->is_done(); });
  // Never away: the third connection had it before the second one was closed.
  EXPECT_EQ(symbol_story(),
            (std::vector<std::string>{"asks for BTCUSDT", "added ETHUSDT",
                                      "asks for BTCUSDT ETHUSDT", "asks for BTCUSDT ETHUSDT"}));
}

TEST_F(ShardRunnerTest, ASymbolThatNobodyBringsMeanwhileIsRemovedAndAdded) {
  server_.sent_max = 1'000'000;
  server_.sent_at_once = 1;
  start();
  run_until([this] { return server_.sent_count > 5; });
  server_.symbol = "ETHUSDT";
  runner_->reconfigure(options_for({"ETHUSDT", "XRPUSDT"}), "one");
  run_until([this] { return server_.connection_count == 2; });
  // The second connection takes over without BTCUSDT, and the first one is closed before the third.
  runner_->reconfigure(options_for({"BTCUSDT", "ETHUSDT", "XRPUSDT"}), "two");
  run_until([this] { return server_.connection_count == 3; });
  const int sent_count = server_.sent_count;
  run_until([&] { return server_.sent_count > sent_count + 200; });
  runner_->stop();
  run_until([this] { return runner_->is_done(); });
  EXPECT_EQ(symbol_story(),
            (std::vector<std::string>{"asks for BTCUSDT", "added ETHUSDT", "added XRPUSDT",
                                      "asks for ETHUSDT XRPUSDT", "removed BTCUSDT",
                                      "added BTCUSDT", "asks for BTCUSDT ETHUSDT XRPUSDT"}));
}

TEST_F(ShardRunnerTest, AStopWhileConnectingEndsAtOnce) {
  start();
  EXPECT_FALSE(runner_->is_done());
  runner_->stop();
  EXPECT_TRUE(runner_->is_done());
}

}  // namespace
}  // namespace tapeworks::recorder
