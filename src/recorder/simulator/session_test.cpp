#include "recorder/simulator/session.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tapeworks::simulator {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kStartNs = 1'790'000'000 * kSecondNs;

/// A client and its exchange, without a socket, at a time that the test sets.
class Conversation {
 public:
  explicit Conversation(Venue venue, ClientRequest request = {"/stream"})
      : market_(venue, 3, 1, kStartNs), session_(make_session(venue, market_, request)) {
    session_->on_open(now_ns, actions);
  }

  std::vector<std::string> say(std::string_view text) {
    actions = {};
    session_->on_text(text, now_ns, actions);
    return actions.texts;
  }
  /// Lets time pass in steps of a second. True when the exchange closed the connection.
  bool wait(int64_t seconds) {
    for (int64_t i = 0; i < seconds; ++i) {
      now_ns += kSecondNs;
      actions = {};
      session_->on_tick(now_ns, actions);
      pings += actions.ping ? 1 : 0;
      if (actions.close) return true;
    }
    return false;
  }
  void pong() { session_->on_pong(now_ns, actions = {}); }
  bool hears(Stream stream, uint32_t symbol_index) {
    const MarketEvent event = market_.next(stream, symbol_index, 1, now_ns);
    return session_->encode(event, symbol_index, NumberForm::kPlain).has_value();
  }
  VenueSession& session() { return *session_; }

  int64_t now_ns = kStartNs;
  SessionActions actions;
  int pings = 0;

 private:
  Market market_;
  std::unique_ptr<VenueSession> session_;
};

using Texts = std::vector<std::string>;

TEST(BinanceSession, SubscribesByRequestAndByPath) {
  Conversation by_request(Venue::kBinanceSpot);
  EXPECT_EQ(by_request.say(R"({"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1})"),
            Texts{R"({"result":null,"id":1})"});
  EXPECT_TRUE(by_request.hears(Stream::kTrade, 0));
  EXPECT_FALSE(by_request.hears(Stream::kBook, 0));
  by_request.say(R"({"method":"UNSUBSCRIBE","params":["btcusdt@trade"],"id":2})");
  EXPECT_FALSE(by_request.hears(Stream::kTrade, 0));

  Conversation by_path(Venue::kBinanceSpot,
                       {"/stream?streams=btcusdt@trade/ethusdt@depth5%40100ms"});
  EXPECT_TRUE(by_path.hears(Stream::kTrade, 0));
  EXPECT_TRUE(by_path.hears(Stream::kL5, 1));
  Conversation raw(Venue::kBinanceSpot, {"/ws/ethusdt@bookTicker"});
  EXPECT_TRUE(raw.hears(Stream::kBook, 1));
}

TEST(BinanceSession, ListsAndSetsProperties) {
  Conversation conversation(Venue::kBinanceSpot, {"/ws"});
  EXPECT_EQ(conversation.say(R"({"method":"GET_PROPERTY","params":["combined"],"id":2})"),
            Texts{R"({"result":false,"id":2})"});
  EXPECT_EQ(conversation.say(R"({"method":"SET_PROPERTY","params":["combined",true],"id":5})"),
            Texts{R"({"result":null,"id":5})"});
  EXPECT_EQ(conversation.say(R"({"method":"SET_PROPERTY","params":["combined",7],"id":5})"),
            Texts{R"({"code":1,"msg":"Invalid value type: expected Boolean"})"});
  conversation.say(R"({"method":"SUBSCRIBE","params":["no@such"],"id":1})");
  EXPECT_EQ(conversation.say(R"({"method":"LIST_SUBSCRIPTIONS","id":3})"),
            Texts{R"({"result":["no@such"],"id":3})"});
}

TEST(BinanceSession, PingsEveryTwentySecondsAndCutsWhoDoesNotAnswer) {
  Conversation answering(Venue::kBinanceSpot);
  for (int i = 0; i < 300; ++i) {
    ASSERT_FALSE(answering.wait(1));
    if (answering.actions.ping) answering.pong();
  }
  EXPECT_EQ(answering.pings, 15);
  Conversation silent(Venue::kBinanceSpot);
  EXPECT_FALSE(silent.wait(80));
  EXPECT_TRUE(silent.wait(2));
  Conversation usdm(Venue::kBinanceUsdm, {"/public/stream"});
  EXPECT_FALSE(usdm.wait(179));
  EXPECT_EQ(usdm.pings, 0);
  EXPECT_FALSE(usdm.wait(1));
  EXPECT_EQ(usdm.pings, 1);
}

TEST(BinanceSession, CountsPongsAsMessages) {
  Conversation conversation(Venue::kBinanceSpot);
  for (int i = 0; i < 4; ++i) conversation.say(R"({"method":"LIST_SUBSCRIPTIONS","id":3})");
  conversation.pong();
  EXPECT_FALSE(conversation.actions.close);
  conversation.pong();
  ASSERT_TRUE(conversation.actions.close);
  EXPECT_EQ(conversation.actions.close->code, 1008);
}

TEST(BinanceSession, TakesAtMost1024Streams) {
  Conversation conversation(Venue::kBinanceSpot);
  std::string names;
  for (int i = 0; i < 1025; ++i)
    names += (i == 0 ? "\"s" : ",\"s") + std::to_string(i) + "@trade\"";
  conversation.say(R"({"method":"SUBSCRIBE","id":1,"params":[)" + names + "]}");
  EXPECT_TRUE(conversation.actions.close);
}

TEST(KucoinSession, CutsAfterAMinuteWithoutAMessage) {
  Conversation conversation(Venue::kKucoinSpot, {"/?token=t&connectId=c"});
  EXPECT_EQ(conversation.actions.texts, Texts{R"({"id":"c","type":"welcome"})"});
  EXPECT_FALSE(conversation.wait(59));
  const Texts pong = conversation.say(R"({"id":"1","type":"ping"})");
  EXPECT_EQ(pong, Texts{R"({"id":"1","type":"pong","timestamp":1790000059000000})"});
  EXPECT_FALSE(conversation.wait(60));
  EXPECT_TRUE(conversation.wait(1));
  EXPECT_EQ(conversation.actions.texts,
            Texts{R"({"type":"error","code":400,"data":"ping timeout"})"});
}

TEST(KucoinSession, RefusesMoreThanAHundredMessagesInTenSeconds) {
  Conversation conversation(Venue::kKucoinSpot, {"/?token=t&connectId=c"});
  for (int i = 0; i < 100; ++i) conversation.say(R"({"id":"1","type":"ping"})");
  const std::string subscribe =
      R"({"id":9,"type":"subscribe","topic":"/market/match:BTC-USDT","response":true})";
  EXPECT_EQ(
      conversation.say(subscribe),
      Texts{R"({"id":"9","type":"error","code":509,"data":"exceed max permits per 10 seconds"})"});
  EXPECT_FALSE(conversation.hears(Stream::kTrade, 0));
  EXPECT_FALSE(conversation.wait(10));
  EXPECT_EQ(conversation.say(subscribe), Texts{R"({"id":"9","type":"ack"})"});
  EXPECT_TRUE(conversation.hears(Stream::kTrade, 0));
}

TEST(KucoinSession, AcknowledgesUnknownSymbolsAndOnlyWhenAsked) {
  Conversation conversation(Venue::kKucoinFutures, {"/?token=t&connectId=c"});
  EXPECT_EQ(
      conversation.say(
          R"({"id":"x","type":"subscribe","topic":"/contractMarket/execution:NOPE,XBTUSDTM","response":true})"),
      Texts{R"({"id":"x","type":"ack"})"});
  EXPECT_TRUE(conversation.hears(Stream::kTrade, 0));
  EXPECT_EQ(
      conversation.say(
          R"({"id":"y","type":"subscribe","topic":"/contractMarket/tickerV2:XBTUSDTM","response":false})"),
      Texts{});
  EXPECT_TRUE(conversation.hears(Stream::kBook, 0));
}

TEST(GateSession, EchoesTheRequestInItsAnswer) {
  Conversation conversation(Venue::kGateFutures, {"/v4/ws/usdt", true});
  const Texts texts = conversation.say(
      R"({"time":1,"id":-999,"channel":"futures.order_book","event":"subscribe","payload":["BTC_USDT","5","0"]})");
  ASSERT_EQ(texts.size(), 1U);
  const auto reply = nlohmann::json::parse(texts[0]);
  EXPECT_EQ(reply["id"], -999);
  EXPECT_EQ(reply["channel"], "futures.order_book");
  EXPECT_EQ(reply["payload"], nlohmann::json({"BTC_USDT", "5", "0"}));
  EXPECT_EQ(reply["result"]["status"], "success");
  EXPECT_TRUE(conversation.hears(Stream::kL5, 0));
}

TEST(GateSession, RefusesWrongLevelsIntervalsAndChannels) {
  Conversation conversation(Venue::kGateSpot, {"/ws/v4/"});
  const auto code_of = [&](std::string_view channel, std::string_view payload) {
    const Texts texts = conversation.say(
        fmt::format(R"({{"channel":"{}","event":"subscribe","payload":{}}})", channel, payload));
    return nlohmann::json::parse(texts.at(0)).at("error").at("code").get<int>();
  };
  EXPECT_EQ(code_of("spot.order_book", R"(["BTC_USDT","7","100ms"])"), 2);
  EXPECT_EQ(code_of("spot.order_book", R"(["BTC_USDT","5","5ms"])"), 2);
  EXPECT_EQ(code_of("spot.order_book", R"(["BTC_USDT"])"), 1);
  EXPECT_EQ(code_of("spot.nothing", R"(["BTC_USDT"])"), 2);
  EXPECT_EQ(code_of("spot.trades", R"(["BTC_USDT","NOPE_USDT"])"), 2);
  EXPECT_FALSE(conversation.hears(Stream::kTrade, 0)) << "one wrong name fails the list";
}

TEST(GateSession, CutsIdleConnections) {
  Conversation idle(Venue::kGateSpot, {"/ws/v4/"});
  EXPECT_FALSE(idle.wait(30));
  EXPECT_TRUE(idle.wait(1));
  Conversation subscribed(Venue::kGateSpot, {"/ws/v4/"});
  subscribed.say(R"({"channel":"spot.trades","event":"subscribe","payload":["BTC_USDT"]})");
  EXPECT_FALSE(subscribed.wait(59));
  subscribed.say(R"({"channel":"spot.ping"})");
  EXPECT_FALSE(subscribed.wait(60));
  EXPECT_TRUE(subscribed.wait(1));
}

TEST(VenueSession, AnswersGarbageAndStaysAlive) {
  for (const Venue venue : kVenues) {
    Conversation conversation(venue, {"/stream?streams=%&token=%zz&connectId=%e5%b8"});
    for (const std::string& text :
         {std::string(), std::string("{"), std::string("\xff\xfe"), std::string(100'000, '['),
          R"({"channel":"spot.trades","event":"subscribe","payload":)" + std::string(40, '[') +
              std::string(40, ']') + "}",
          std::string(R"({"id":1e999})"), std::string(R"({"method":{},"type":[],"channel":1})"),
          std::string(R"({"type":"subscribe","topic":":::"})"),
          std::string("{\"channel\":\"\xff\",\"event\":\"\xff\",\"id\":\"\xff\"}")}) {
      conversation.now_ns += kSecondNs;
      conversation.say(text);
    }
    EXPECT_FALSE(conversation.hears(Stream::kBook, 0));
  }
}

TEST(QueryValue, FindsWholeNamesOnlyAndDecodes) {
  EXPECT_EQ(query_value("/?token=a%2Bb&connectId=c", "token"), "a+b");
  EXPECT_EQ(query_value("/?token=a&connectId=c", "connectId"), "c");
  EXPECT_EQ(query_value("/?xtoken=a", "token"), "");
  EXPECT_EQ(query_value("/", "token"), "");
  EXPECT_EQ(percent_decoded("%E5%B8%81%"), "币%");
  EXPECT_EQ(percent_decoded("%4"), "%4");
  EXPECT_EQ(percent_decoded("%zz%41"), "%zzA");
}

}  // namespace
}  // namespace tapeworks::simulator
