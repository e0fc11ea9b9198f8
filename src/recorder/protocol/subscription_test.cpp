#include "recorder/protocol/subscription.h"

#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "recorder/protocol/rate_window.h"
#include "recorder/protocol/venue_rules.h"

namespace tapeworks::recorder {
namespace {

using nlohmann::json;
using std::chrono::seconds;

std::vector<std::string> symbols_of(size_t count) {
  std::vector<std::string> symbols;
  for (size_t i = 0; i < count; ++i) symbols.push_back(fmt::format("S{}", i));
  return symbols;
}

std::vector<size_t> all_of(std::span<const StreamKey> keys) {
  std::vector<size_t> which(keys.size());
  for (size_t i = 0; i < which.size(); ++i) which[i] = i;
  return which;
}

TEST(PlanConnections, KeepsToTheLimitAndForgetsNothing) {
  for (const Venue venue : kVenues) {
    for (const size_t count : {1u, 99u, 150u, 450u, 2000u}) {
      const auto symbols = symbols_of(count);
      const auto connections = plan_connections(venue, symbols, kStreams);
      std::set<StreamKey> planned;
      std::set<std::string> owners;
      size_t least = SIZE_MAX;
      size_t most = 0;
      for (const auto& keys : connections) {
        EXPECT_LE(keys.size(), rules_of(venue).streams_per_connection_max);
        least = std::min(least, keys.size());
        most = std::max(most, keys.size());
        std::set<std::string> here;
        for (const StreamKey& key : keys) {
          EXPECT_TRUE(planned.insert(key).second);
          here.insert(key.symbol);
        }
        for (const std::string& symbol : here) EXPECT_TRUE(owners.insert(symbol).second);
      }
      EXPECT_EQ(planned.size(), 3 * count);
      EXPECT_LE(most - least, 3u);
    }
  }
  EXPECT_EQ(plan_connections(Venue::kKucoinSpot, symbols_of(150), kStreams).size(), 2u);
  EXPECT_EQ(plan_connections(Venue::kBinanceSpot, symbols_of(150), kStreams).size(), 1u);
  EXPECT_TRUE(plan_connections(Venue::kGateSpot, {}, kStreams).empty());
}

TEST(BatchSubscriptions, EachStreamIsAskedForOnceWithinTheLimits) {
  for (const Venue venue : kVenues) {
    const auto connections = plan_connections(venue, symbols_of(450), kStreams);
    const auto& keys = connections.front();
    std::set<size_t> asked;
    for (const auto& batch : batch_subscriptions(venue, keys, all_of(keys))) {
      ASSERT_FALSE(batch.keys.empty());
      const Stream first = keys[batch.keys.front()].stream;
      const bool snapshots = first == Stream::kL5 && name_of(venue).exchange != "binance";
      EXPECT_LE(batch.keys.size(), snapshots ? rules_of(venue).snapshots_per_request_max
                                             : rules_of(venue).symbols_per_request_max);
      for (const size_t key : batch.keys) EXPECT_TRUE(asked.insert(key).second);
      EXPECT_TRUE(json::accept(subscription_text(venue, keys, batch, 7, 1'700'000'000)));
    }
    EXPECT_EQ(asked.size(), keys.size());
  }
  const auto keys = plan_connections(Venue::kBinanceSpot, symbols_of(150), kStreams).front();
  EXPECT_EQ(batch_subscriptions(Venue::kBinanceSpot, keys, all_of(keys)).size(), 3u);
}

TEST(SubscriptionText, IsWhatEachVenueReads) {
  const std::vector<StreamKey> keys{{Stream::kBook, "BTC-USDT"},
                                    {Stream::kBook, "币安人生USDT"},
                                    {Stream::kL5, "BTC-USDT"},
                                    {Stream::kTrade, "BTC-USDT"}};
  const SubscriptionBatch books{{0, 1}};
  const SubscriptionBatch snapshot{{2}};
  EXPECT_EQ(subscription_text(Venue::kBinanceSpot, keys, {{0, 1, 2, 3}}, 5, 9),
            R"({"method":"SUBSCRIBE","params":["btc-usdt@bookTicker","币安人生usdt@bookTicker",)"
            R"("btc-usdt@depth5@100ms","btc-usdt@trade"],"id":5})");
  EXPECT_EQ(subscription_text(Venue::kBinanceSpotSbe, keys, {{0, 2}}, 5, 9),
            R"({"method":"SUBSCRIBE","params":["btc-usdt@bestBidAsk","btc-usdt@depth20"],"id":5})");
  EXPECT_EQ(subscription_text(Venue::kKucoinSpot, keys, books, 5, 9),
            R"({"id":"5","type":"subscribe","topic":"/market/ticker:BTC-USDT,币安人生USDT",)"
            R"("privateChannel":false,"response":true})");
  EXPECT_EQ(subscription_text(Venue::kGateSpot, keys, books, 5, 9),
            R"({"time":9,"id":5,"channel":"spot.book_ticker","event":"subscribe",)"
            R"("payload":["BTC-USDT","币安人生USDT"]})");
  EXPECT_EQ(subscription_text(Venue::kGateSpot, keys, snapshot, 5, 9),
            R"({"time":9,"id":5,"channel":"spot.order_book","event":"subscribe",)"
            R"("payload":["BTC-USDT","5","100ms"]})");
  EXPECT_EQ(subscription_text(Venue::kGateFutures, keys, snapshot, 5, 9),
            R"({"time":9,"id":5,"channel":"futures.order_book","event":"subscribe",)"
            R"("payload":["BTC-USDT","5","0"]})");
  EXPECT_EQ(ping_text(Venue::kKucoinFutures, 5, 9), R"({"id":"5","type":"ping"})");
  EXPECT_EQ(ping_text(Venue::kGateFutures, 5, 9), R"({"time":9,"channel":"futures.ping"})");
}

TEST(SubscriptionText, AStrangeSymbolStaysOneSymbol) {
  const std::vector<StreamKey> keys{{Stream::kTrade, "A\"],\"x\":[\"\\\n"}};
  const json frame = json::parse(subscription_text(Venue::kGateSpot, keys, {{0}}, 1, 9));
  EXPECT_EQ(frame["payload"], json::array({keys[0].symbol}));
}

TEST(VenueRules, UsdmStreamsHaveARoute) {
  EXPECT_EQ(usdm_url("public"), rules_of(Venue::kBinanceUsdm).url);
  EXPECT_EQ(usdm_url("market"), "wss://fstream.binance.com/market/stream");
  EXPECT_EQ(usdm_url(""), "wss://fstream.binance.com/stream");
}

TEST(RateWindow, AllowsItsLimitInAnyWindow) {
  RateWindow window(3, seconds(10));
  for (const int at : {0, 1, 2}) {
    EXPECT_EQ(window.next_allowed(seconds(at)), seconds(at));
    window.count(seconds(at));
  }
  EXPECT_EQ(window.next_allowed(seconds(3)), seconds(10));
  EXPECT_EQ(window.next_allowed(seconds(12)), seconds(12));
  window.count(seconds(10));
  EXPECT_EQ(window.next_allowed(seconds(10)), seconds(11));
  // What was not ours to withhold counts all the same.
  window.count(seconds(10));
  EXPECT_EQ(window.next_allowed(seconds(10)), seconds(12));
}

TEST(RateWindow, CountsThingsThatWeighMoreThanOne) {
  RateWindow window(5, seconds(10));
  window.count(seconds(0), 2);
  window.count(seconds(1), 1);
  EXPECT_EQ(window.next_allowed(seconds(2), 2), seconds(2));
  EXPECT_EQ(window.next_allowed(seconds(2), 3), seconds(10));
  EXPECT_EQ(window.next_allowed(seconds(2), 4), seconds(10));
  EXPECT_EQ(window.next_allowed(seconds(2), 5), seconds(11));
  window.count(seconds(2), 2);
  EXPECT_EQ(window.next_allowed(seconds(3)), seconds(10));
}

}  // namespace
}  // namespace tapeworks::recorder
