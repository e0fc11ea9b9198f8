#include "recorder/protocol/connection.h"

#include <set>

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "recorder/protocol/connection_test_support.h"
#include "recorder/protocol/kucoin_token.h"

namespace tapeworks::recorder {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Kind = Notice::Kind;

constexpr uint64_t kId = 42;

/// One connection, and what it did since it was last asked.
class ConnectionScript {
 public:
  ConnectionScript(Venue venue, std::vector<StreamKey> keys, std::string api_key = "")
      : connection({venue, std::move(keys), "", "", std::move(api_key)}, kId, 7) {}

  void start() { connection.start(at(now), out); }
  void open() { connection.on_open(at(now), out); }
  void receive(std::string_view text) { connection.on_message(at(now), text_frame(text), out); }
  void until(SteadyTime time) {
    pass(connection, now, time, out);
    now = time;
  }
  std::vector<std::string> sent() { return texts_of(out, Action::Kind::kSend); }
  std::vector<std::string> closed() { return texts_of(out, Action::Kind::kClose); }
  void forget() { out = {}; }
  /// Up to the point where KuCoin's socket may be used.
  void welcome() {
    start();
    connection.on_token_reply(
        at(now), 200,
        R"({"code":"200000","data":{"token":"t/1","instanceServers":[{"endpoint":)"
        R"("wss://ws-api-spot.kucoin.com/","pingInterval":18000,"pingTimeout":10000}]}})",
        out);
    open();
    receive(R"({"id":"x","type":"welcome"})");
  }

  SteadyTime now{0};
  Reaction out;
  Connection connection;
};

TEST(Connection, BinanceIsAskedInFewFramesAndAcknowledged) {
  ConnectionScript script(Venue::kBinanceSpot, keys_of({"BTCUSDT", "ETHUSDT"}, {Stream::kTrade}));
  script.start();
  ASSERT_EQ(script.out.actions.size(), 1u);
  EXPECT_EQ(script.out.actions[0].kind, Action::Kind::kOpen);
  EXPECT_EQ(script.out.actions[0].text, "wss://stream.binance.com:9443/stream");
  EXPECT_EQ(script.out.actions[0].connection, kId);
  script.open();
  EXPECT_EQ(script.sent(),
            (std::vector<std::string>{
                R"({"method":"SUBSCRIBE","params":["btcusdt@trade","ethusdt@trade"],"id":1})"}));
  script.receive(R"({"result":null,"id":1})");
  EXPECT_EQ(count_of(script.out, Kind::kSubscribed), 1u);
  EXPECT_FALSE(script.connection.is_proven());  // an ack proves nothing
  script.receive(binance_trade("BTCUSDT", 1));
  EXPECT_TRUE(script.connection.is_proven());
}

TEST(Connection, HeadersAreSentWhereTheVenueWantsThem) {
  ConnectionScript sbe(Venue::kBinanceSpotSbe, keys_of({"A"}, {Stream::kTrade}), "secret");
  sbe.start();
  EXPECT_EQ(sbe.out.actions[0].header_name, "X-MBX-APIKEY");
  EXPECT_EQ(sbe.out.actions[0].header_value, "secret");
  ConnectionScript gate(Venue::kGateFutures, keys_of({"A"}, {Stream::kTrade}), "secret");
  gate.start();
  EXPECT_EQ(gate.out.actions[0].header_name, "X-Gate-Size-Decimal");
  EXPECT_EQ(gate.out.actions[0].header_value, "1");
  ConnectionScript spot(Venue::kBinanceSpot, keys_of({"A"}, {Stream::kTrade}), "secret");
  spot.start();
  EXPECT_EQ(spot.out.actions[0].header_value, "");
}

TEST(Connection, NoSecondHasMoreMessagesThanTheVenueAllows) {
  std::vector<std::string> symbols;
  for (int i = 0; i < 300; ++i) symbols.push_back(fmt::format("S{}", i));
  for (const Venue venue : {Venue::kBinanceSpot, Venue::kGateSpot}) {
    const auto keys = plan_connections(venue, symbols, kStreams).front();
    ConnectionScript script(venue, keys);
    script.start();
    script.open();
    // Server pings that the shell answered count as well.
    for (int i = 0; i < 2; ++i) script.connection.on_ping(at(script.now));
    const VenueRules& rules = rules_of(venue);
    std::vector<SteadyTime> times(script.sent().size() + 2, SteadyTime(0));
    size_t streams = 0;
    while (script.now < seconds(60)) {
      const size_t before = script.sent().size();
      script.until(script.now + milliseconds(10));
      for (size_t i = before; i < script.sent().size(); ++i) times.push_back(script.now);
    }
    for (size_t i = rules.messages_max; i < times.size(); ++i) {
      EXPECT_GE(times[i] - times[i - rules.messages_max] + milliseconds(10), rules.message_window);
    }
    for (const std::string& text : script.sent()) {
      const auto frame = nlohmann::json::parse(text);
      if (frame.contains("params")) streams += frame["params"].size();
    }
    EXPECT_TRUE(venue != Venue::kBinanceSpot || streams >= keys.size());
  }
}

TEST(Connection, KucoinAsksForATokenAndWaitsForItsWelcome) {
  ConnectionScript script(Venue::kKucoinSpot, keys_of({"BTC-USDT", "A-B"}, {Stream::kBook}));
  script.start();
  EXPECT_EQ(texts_of(script.out, Action::Kind::kRequestToken),
            std::vector<std::string>{"https://api.kucoin.com/api/v1/bullet-public"});
  script.forget();
  script.welcome();
  const auto opened = texts_of(script.out, Action::Kind::kOpen);
  ASSERT_EQ(opened.size(), 1u);
  EXPECT_TRUE(opened[0].starts_with("wss://ws-api-spot.kucoin.com/?token=t%2F1&connectId="));
  EXPECT_EQ(script.sent(), (std::vector<std::string>{
                               R"({"id":"1","type":"subscribe","topic":"/market/ticker:BTC-USDT,)"
                               R"(A-B","privateChannel":false,"response":true})"}));
  script.receive(R"({"id":"1","type":"ack"})");
  EXPECT_EQ(count_of(script.out, Kind::kSubscribed), 1u);
}

TEST(Connection, NothingIsSentBeforeTheWelcome) {
  ConnectionScript script(Venue::kKucoinSpot, keys_of({"A-B"}, {Stream::kBook}));
  script.start();
  script.connection.on_token_reply(
      at(script.now), 200,
      R"({"code":"200000","data":{"token":"t","instanceServers":[{"endpoint":"wss://x/?a=1",)"
      R"("pingInterval":18000,"pingTimeout":10000}]}})",
      script.out);
  script.open();
  script.until(seconds(9));
  EXPECT_TRUE(script.sent().empty());
  script.until(seconds(11));
  EXPECT_EQ(script.closed(), std::vector<std::string>{"no welcome in time"});
}

TEST(Connection, ARefusedTokenEndsTheAttempt) {
  const auto refused = [](int status, std::string_view body) {
    ConnectionScript script(Venue::kKucoinSpot, keys_of({"A-B"}, {Stream::kBook}));
    script.start();
    script.connection.on_token_reply(at(script.now), status, body, script.out);
    EXPECT_EQ(script.connection.state(), Connection::State::kClosed) << body;
    return script.connection.pause_hint();
  };
  EXPECT_EQ(refused(500, "oops"), seconds(0));
  EXPECT_EQ(refused(200, R"({"code":"400100","msg":"no"})"), seconds(0));
  EXPECT_EQ(refused(200, R"({"code":"200000","data":{"token":"t","instanceServers":[]}})"),
            seconds(0));
  EXPECT_EQ(refused(429, R"({"code":"429000"})"), seconds(30));
}

TEST(KucoinToken, AnHttpsServiceMustNotSendUsToAPlainSocket) {
  constexpr std::string_view kBody =
      R"({"code":"200000","data":{"token":"t","instanceServers":[{"endpoint":"ws://x/",)"
      R"("pingInterval":1,"pingTimeout":999999}]}})";
  EXPECT_FALSE(read_kucoin_token("https://api", 200, kBody, "id"));
  const auto local = read_kucoin_token("http://127.0.0.1/", 200, kBody, "id");
  ASSERT_TRUE(local) << local.error().message;
  EXPECT_EQ(local->url, "ws://x/?token=t&connectId=id");
  EXPECT_EQ(local->ping_interval, milliseconds(1000));  // kept within reason
  EXPECT_EQ(local->ping_timeout, milliseconds(60000));
}

TEST(Connection, KucoinIsPingedAndMustAnswer) {
  ConnectionScript script(Venue::kKucoinSpot, keys_of({"A-B"}, {Stream::kBook}));
  script.welcome();
  script.receive(R"({"id":"1","type":"ack"})");
  script.forget();
  script.until(seconds(18));
  EXPECT_EQ(script.sent(), std::vector<std::string>{R"({"id":"2","type":"ping"})"});
  script.receive(R"({"id":"2","type":"pong","timestamp":1})");
  script.until(seconds(37));
  EXPECT_EQ(script.sent().size(), 2u);
  EXPECT_TRUE(script.closed().empty());
  script.until(seconds(47));
  EXPECT_EQ(script.closed(), std::vector<std::string>{"no answer to a ping"});
}

TEST(Connection, GateIsPingedOnItsChannel) {
  ConnectionScript script(Venue::kGateSpot, keys_of({"A_B"}, {Stream::kTrade}));
  script.start();
  script.open();
  script.receive(R"({"time":1,"channel":"spot.trades","event":"subscribe","result":{}})");
  script.forget();
  script.until(seconds(12));
  EXPECT_EQ(script.sent(),
            std::vector<std::string>{R"({"time":1700000012,"channel":"spot.ping"})"});
  script.receive(R"({"time":1,"channel":"spot.pong","event":"","result":null})");
  script.until(seconds(23));
  EXPECT_TRUE(script.closed().empty());
}

TEST(Connection, BinanceIsNotPinged) {
  ConnectionScript script(Venue::kBinanceUsdm, keys_of({"BTCUSDT"}, {Stream::kTrade}));
  script.start();
  script.open();
  script.receive(R"({"result":null,"id":1})");
  for (int i = 0; i < 300; ++i) {
    script.receive(binance_trade("BTCUSDT", i));
    script.until(script.now + seconds(1));
  }
  EXPECT_EQ(script.sent().size(), 1u);
}

/// Answers as Gate does: one unknown symbol fails the whole list.
void answer_as_gate(ConnectionScript& script, const std::string& unknown) {
  size_t answered = 0;
  for (int round = 0; round < 100; ++round) {
    const auto sent = script.sent();
    for (; answered < sent.size(); ++answered) {
      const auto frame = nlohmann::json::parse(sent[answered]);
      if (frame["event"] != "subscribe") continue;
      const auto asked = frame["payload"].get<std::vector<std::string>>();
      const bool bad = std::ranges::find(asked, unknown) != asked.end();
      script.receive(fmt::format(
          R"({{"time":1,"id":{},"channel":{},"event":"subscribe",{}}})", frame["id"].dump(),
          frame["channel"].dump(),
          bad ? R"("error":{"code":2,"message":"unknown currency pair"},"result":{"status":"fail"})"
              : R"("result":{"status":"success"})"));
    }
    script.until(script.now + milliseconds(50));
  }
}

TEST(Connection, OneUnknownSymbolDoesNotTakeTheOthersDown) {
  std::vector<StreamKey> keys;
  for (int i = 0; i < 90; ++i) keys.push_back({Stream::kTrade, fmt::format("S{}_USDT", i)});
  ConnectionScript script(Venue::kGateSpot, keys);
  script.start();
  script.open();
  answer_as_gate(script, "S33_USDT");
  EXPECT_EQ(symbols_of(script.out, Kind::kUnknownSymbol), std::vector<std::string>{"S33_USDT"});
  size_t subscribed = 0;
  for (const Notice& notice : script.out.notices) {
    if (notice.kind == Kind::kSubscribed) subscribed += notice.count;
  }
  EXPECT_EQ(subscribed, 89u);
  EXPECT_LE(script.sent().size(), 16u);  // halves, and a ping
}

TEST(Connection, OldAcksWithoutAnIdentifierAreMatchedByTheirChannel) {
  ConnectionScript script(Venue::kGateFutures,
                          keys_of({"A_USDT"}, {Stream::kBook, Stream::kTrade}));
  script.start();
  script.open();
  script.until(milliseconds(200));
  ASSERT_EQ(script.sent().size(), 2u);
  script.receive(
      R"({"time":1,"channel":"futures.trades","event":"subscribe","error":{"code":2,"message":"x"},)"
      R"("result":{"status":"fail"}})");
  script.receive(R"({"time":1,"time_ms":0,"channel":"futures.book_ticker","event":"subscribe",)"
                 R"("result":{"status":"success"}})");
  ASSERT_EQ(count_of(script.out, Kind::kUnknownSymbol), 1u);
  for (const Notice& notice : script.out.notices) {
    EXPECT_TRUE(notice.kind != Kind::kUnknownSymbol || notice.key.stream == Stream::kTrade);
  }
  EXPECT_EQ(count_of(script.out, Kind::kSubscribed), 1u);
}

TEST(Connection, A509IsAskedAgainSlower) {
  ConnectionScript script(Venue::kKucoinSpot, keys_of({"A-B"}, {Stream::kBook, Stream::kTrade}));
  script.welcome();
  ASSERT_EQ(script.sent().size(), 1u);
  script.receive(R"({"id":"1","type":"error","code":509,"data":"exceed max permits per second"})");
  EXPECT_EQ(count_of(script.out, Kind::kRetried), 1u);
  script.until(milliseconds(9'900));
  EXPECT_EQ(script.sent().size(), 1u);  // the others wait too
  script.until(milliseconds(10'100));
  ASSERT_EQ(script.sent().size(), 2u);
  EXPECT_NE(script.sent()[1].find("/market/ticker:A-B"), std::string::npos);
  script.until(milliseconds(10'600));
  EXPECT_EQ(script.sent().size(), 2u);  // 350 ms became 700
  script.until(milliseconds(10'800));
  EXPECT_EQ(script.sent().size(), 3u);
}

TEST(Connection, A509OverAndOverEndsTheConnection) {
  ConnectionScript script(Venue::kKucoinSpot, keys_of({"A-B"}, {Stream::kBook}));
  script.welcome();
  size_t answered = 0;
  while (script.closed().empty() && script.now < minutes(5)) {
    const auto sent = script.sent();
    for (; answered < sent.size(); ++answered) {
      const auto frame = nlohmann::json::parse(sent[answered]);
      script.receive(frame["type"] == "ping"
                         ? R"({"id":"1","type":"pong"})"
                         : fmt::format(R"({{"id":{},"type":"error","code":509,"data":"too fast"}})",
                                       frame["id"].dump()));
    }
    script.until(script.now + seconds(1));
  }
  EXPECT_EQ(script.closed(), std::vector<std::string>{"509: too fast"});
  EXPECT_EQ(count_of(script.out, Kind::kRetried), 5u);
}

TEST(Connection, AnExpiredTokenEndsTheConnection) {
  ConnectionScript script(Venue::kKucoinFutures, keys_of({"XBTUSDTM"}, {Stream::kBook}));
  script.welcome();
  script.receive(R"({"type":"error","code":401,"data":"token is expired"})");
  EXPECT_EQ(script.closed(), std::vector<std::string>{"401: token is expired"});
}

TEST(Connection, ARequestWithoutReplyIsRepeatedAndThenLeftToItsData) {
  ConnectionScript script(Venue::kBinanceSpot, keys_of({"A"}, {Stream::kTrade}));
  script.start();
  script.open();
  script.until(seconds(45));
  EXPECT_EQ(script.sent().size(), 3u);
  EXPECT_EQ(count_of(script.out, Kind::kRetried), 2u);
  EXPECT_EQ(symbols_of(script.out, Kind::kSubscribeFailed), std::vector<std::string>{"A"});
  EXPECT_EQ(count_of(script.out, Kind::kAllAnswered), 1u);
  script.receive(binance_trade("A", 1));
  EXPECT_TRUE(script.connection.is_proven());
}

TEST(Connection, ItIsSaidWhenAllWasAnswered) {
  ConnectionScript script(Venue::kGateFutures,
                          keys_of({"A_USDT"}, {Stream::kBook, Stream::kTrade}));
  script.start();
  script.open();
  script.until(milliseconds(200));
  script.receive(R"({"time":1,"time_ms":0,"channel":"futures.book_ticker","event":"subscribe",)"
                 R"("result":{"status":"success"}})");
  EXPECT_EQ(count_of(script.out, Kind::kAllAnswered), 0u);
  // A refusal is an answer as well.
  script.receive(
      R"({"time":1,"channel":"futures.trades","event":"subscribe","error":{"code":2,"message":"x"},)"
      R"("result":{"status":"fail"}})");
  EXPECT_EQ(count_of(script.out, Kind::kAllAnswered), 1u);
  EXPECT_EQ(script.out.notices.back().kind, Kind::kAllAnswered);
}

TEST(Connection, DataBeforeTheAckAreData) {
  ConnectionScript script(Venue::kBinanceSpot, keys_of({"A"}, {Stream::kTrade}));
  script.start();
  script.open();
  script.receive(binance_trade("A", 1));
  script.receive(R"({"result":null,"id":1})");
  EXPECT_TRUE(script.connection.is_proven());
}

TEST(Connection, OneStreamThatNeverSpeaksIsReportedAndAskedForAgain) {
  ConnectionScript script(Venue::kBinanceSpot, keys_of({"A", "TYPO"}, {Stream::kTrade}));
  script.start();
  script.open();
  script.receive(R"({"result":null,"id":1})");
  for (int second = 1; second <= 200; ++second) {
    script.until(seconds(second));
    script.receive(binance_trade("A", second));
  }
  EXPECT_EQ(symbols_of(script.out, Kind::kNeverSpoke), std::vector<std::string>{"TYPO"});
  const auto again = std::ranges::count_if(script.sent(), [](const std::string& text) {
    return text.find("[\"typo@trade\"]") != std::string::npos;
  });
  EXPECT_EQ(count_of(script.out, Kind::kAllAnswered), 1u);
  EXPECT_GE(again, 2);  // at 60 s and 120 s, and what stays unanswered once more each
  EXPECT_EQ(script.connection.replacement_cause(), "");
}

TEST(Connection, AQuietStreamIsMeasuredByItsOwnHabit) {
  ConnectionScript script(Venue::kBinanceSpot, keys_of({"A", "QUIET"}, {Stream::kTrade}));
  script.start();
  script.open();
  script.receive(R"({"result":null,"id":1})");
  for (int second = 1; second <= 400; ++second) {
    script.until(seconds(second));
    script.receive(binance_trade("A", second));
    if (second <= 160 && second % 20 == 0) script.receive(binance_trade("QUIET", second));
  }
  // Its median gap is 20 s, so it may be silent for 200 s after second 160.
  ASSERT_EQ(symbols_of(script.out, Kind::kSilent), std::vector<std::string>{"QUIET"});
  ConnectionScript brisk(Venue::kBinanceSpot, keys_of({"A", "QUIET"}, {Stream::kTrade}));
  brisk.start();
  brisk.open();
  brisk.receive(R"({"result":null,"id":1})");
  for (int second = 1; second <= 355; ++second) {
    brisk.until(seconds(second));
    brisk.receive(binance_trade("A", second));
    if (second <= 160 && second % 20 == 0) brisk.receive(binance_trade("QUIET", second));
  }
  EXPECT_EQ(count_of(brisk.out, Kind::kSilent), 0u);
}

TEST(Connection, OnlyWhenAllStreamsAreSilentTheSocketIsStalled) {
  ConnectionScript script(Venue::kBinanceSpot, keys_of({"A", "B"}, {Stream::kTrade}));
  script.start();
  script.open();
  script.receive(R"({"result":null,"id":1})");
  script.receive(binance_trade("A", 1));
  script.until(seconds(59));
  EXPECT_EQ(script.connection.replacement_cause(), "");
  script.until(seconds(62));
  EXPECT_EQ(script.connection.replacement_cause(), "stalled");
  script.receive(binance_trade("B", 1));
  script.until(seconds(64));
  EXPECT_EQ(script.connection.replacement_cause(), "");
}

TEST(Connection, TheServersWarningAsksForAReplacement) {
  ConnectionScript script(Venue::kBinanceSpot, keys_of({"A"}, {Stream::kTrade}));
  script.start();
  script.open();
  script.receive(R"({"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}})");
  EXPECT_EQ(script.connection.replacement_cause(), "server_shutdown");
  EXPECT_TRUE(script.closed().empty());
}

TEST(Connection, TheHandOverComesAnHourOrMoreBeforeTheEndAndSpread) {
  const auto planned_at = [](uint64_t random_key) {
    Connection connection({Venue::kBinanceSpot, keys_of({"A"}, {Stream::kTrade}), "", "", ""}, kId,
                          random_key);
    Reaction out;
    connection.start(at(seconds(0)), out);
    connection.on_open(at(seconds(0)), out);
    connection.on_message(at(seconds(0)), text_frame(R"({"result":null,"id":1})"), out);
    for (SteadyTime now(0); now < hours(24); now += seconds(30)) {
      connection.on_message(at(now), text_frame(binance_trade("A", 1)), out);
      connection.on_time(at(now), out);
      if (!connection.replacement_cause().empty()) {
        EXPECT_EQ(connection.replacement_cause(), "planned");
        return now;
      }
    }
    return SteadyTime(0);
  };
  std::set<SteadyTime> planned;
  for (const uint64_t random_key : {1, 2, 3, 4, 5}) {
    const SteadyTime at_time = planned_at(random_key);
    EXPECT_GE(at_time, hours(22) + minutes(30));
    EXPECT_LE(at_time, hours(23) + minutes(1));
    planned.insert(at_time);
  }
  EXPECT_GE(planned.size(), 3u);
}

TEST(Connection, AVeryLongFrameIsLeftToTheSink) {
  ConnectionScript script(Venue::kBinanceSpot, keys_of({"A"}, {Stream::kTrade}));
  script.start();
  script.open();
  script.receive(R"({"result":null,"id":1})");
  script.receive(binance_trade("A", 1) + std::string(64 * 1024, ' '));
  EXPECT_FALSE(script.connection.is_proven());
  script.receive(binance_trade("A", 2) + std::string(32 * 1024, ' '));
  EXPECT_TRUE(script.connection.is_proven());
}

TEST(Connection, ArbitraryTextsNeverHurtIt) {
  for (const Venue venue : kVenues) {
    ConnectionScript script(venue, keys_of({"A"}, {Stream::kTrade}));
    script.start();
    script.open();
    for (const char* text :
         {"", "{}", R"({"id":"999","type":"ack"})", R"({"result":null,"id":-1})",
          R"({"result":null,"id":99999999999999999999})", R"({"id":1,"type":"error","code":1e300})",
          R"({"error":{"code":2,"msg":"x"}})", R"({"channel":"spot.x","event":"subscribe"})"}) {
      script.receive(text);
      script.until(script.now + milliseconds(1));
    }
  }
}

TEST(Connection, KnowsAStreamByItsNameForASecondAfterItWasDecoded) {
  ConnectionScript script(Venue::kBinanceSpot, keys_of({"BTCUSDT", "ETHUSDT"}, {Stream::kTrade}));
  script.start();
  script.open();
  const std::string broken = R"({"stream":"btcusdt@trade","data":{"e":"trade","s":7}})";
  script.receive(broken);
  EXPECT_EQ(script.connection.last_data_at(), std::nullopt) << "a name proves nothing by itself";

  script.now = seconds(10);
  script.receive(binance_trade("BTCUSDT", 1));
  EXPECT_EQ(script.connection.last_data_at(), seconds(10));
  script.now = seconds(10) + milliseconds(900);
  script.receive(broken);
  EXPECT_EQ(script.connection.last_data_at(), script.now) << "it is not looked into again so soon";
  script.now = seconds(11);
  script.receive(broken);
  EXPECT_EQ(script.connection.last_data_at(), seconds(10) + milliseconds(900));
  script.receive(binance_trade("ETHUSDT", 1));
  EXPECT_EQ(script.connection.last_data_at(), seconds(11));
}

TEST(Connection, ANameOfAStreamThatNobodyAskedForIsNotRemembered) {
  ConnectionScript script(Venue::kBinanceSpot, keys_of({"BTCUSDT", "ETHUSDT"}, {Stream::kTrade}));
  script.start();
  script.open();
  script.now = seconds(1);
  script.receive(binance_trade("BTCUSDT", 1));
  // A venue that answers with rows of symbols that nobody asked for.
  std::string foreign = binance_trade("XRPUSDT", 1);
  script.now = seconds(2);
  script.receive(foreign);
  script.receive(foreign);
  EXPECT_EQ(script.connection.last_data_at(), seconds(1));
}

}  // namespace
}  // namespace tapeworks::recorder
