#include "recorder/simulator/trade_list.h"

#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tapeworks::simulator {
namespace {

using Json = nlohmann::json;

constexpr int64_t kStartNs = 1'790'000'000'000'000'000;
constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int kTradeCount = 50;

/// A trade of each of two symbols every second.
Market make_market(Venue venue) {
  Market market(venue, 2, 1, kStartNs);
  for (uint64_t i = 1; i <= 2 * kTradeCount; ++i) {
    market.next(Stream::kTrade, i % 2, i, kStartNs + static_cast<int64_t>(i) * kSecondNs / 2);
  }
  return market;
}

Json answer(const Market& market, Venue venue, const std::string& query,
            TradeListAnswer how = TradeListAnswer::kWhole) {
  const auto text = trade_list(venue, market,
                               std::string(trade_list_rules(venue).path) + "?" + query, false, how);
  return text ? Json::parse(*text) : Json();
}

/// Numbers of the trades as they stand in the answer.
std::vector<int64_t> ids(const Json& list, const char* key) {
  std::vector<int64_t> found;
  for (const Json& trade : list) {
    const Json& id = trade.at(key);
    found.push_back(id.is_string() ? std::stoll(id.get<std::string>()) : id.get<int64_t>());
  }
  return found;
}

TEST(TradeList, BinanceSpotGivesFromANumberOn) {
  const Market market = make_market(Venue::kBinanceSpot);
  const auto all = ids(answer(market, Venue::kBinanceSpot, "symbol=BTCUSDT&fromId=1"), "id");
  ASSERT_EQ(all.size(), size_t{kTradeCount});
  EXPECT_EQ(all.back() - all.front(), kTradeCount - 1);
  const auto some = ids(
      answer(market, Venue::kBinanceSpot, fmt::format("symbol=BTCUSDT&fromId={}&limit=3", all[10])),
      "id");
  EXPECT_EQ(some, std::vector<int64_t>(all.begin() + 10, all.begin() + 13));
}

TEST(TradeList, GateSpotGivesWhatFollowsANumber) {
  const Market market = make_market(Venue::kGateSpot);
  const auto all = ids(answer(market, Venue::kGateSpot, "currency_pair=BTC_USDT&last_id=1"), "id");
  const auto some = ids(answer(market, Venue::kGateSpot,
                               fmt::format("currency_pair=BTC_USDT&last_id={}&limit=2", all[4])),
                        "id");
  EXPECT_EQ(some, std::vector<int64_t>(all.begin() + 5, all.begin() + 7));
}

TEST(TradeList, GateFuturesGivesATimeAndBeginsWithTheNewest) {
  const Market market = make_market(Venue::kGateFutures);
  const int64_t start = kStartNs / kSecondNs;
  const Json list = answer(market, Venue::kGateFutures,
                           fmt::format("contract=ETH_USDT&from={}&to={}", start + 10, start + 20));
  ASSERT_GE(list.size(), 8U);
  ASSERT_LE(list.size(), 14U);
  const auto found = ids(list, "id");
  EXPECT_GT(found.front(), found.back());
  for (const Json& trade : list) {
    const double seconds = trade.at("create_time_ms").get<double>();
    EXPECT_LE(start + 10, seconds);
    EXPECT_LE(seconds, start + 20);
  }
}

TEST(TradeList, KucoinGivesTheLastHundredAtMost) {
  Market market(Venue::kKucoinSpot, 1, 1, kStartNs);
  for (uint64_t i = 1; i <= 150; ++i) market.next(Stream::kTrade, 0, i, kStartNs);
  const Json whole = answer(market, Venue::kKucoinSpot, "symbol=BTC-USDT");
  EXPECT_EQ(whole.at("code"), "200000");
  EXPECT_EQ(whole.at("data").size(), 100U);
}

TEST(TradeList, PlaceholdersAreNoTrades) {
  Market market(Venue::kBinanceUsdm, 1, 1, kStartNs);
  int64_t placeholders = 0;
  for (uint64_t i = 1; i <= 900; ++i) {
    placeholders += market.next(Stream::kTrade, 0, i, kStartNs).trades[0].is_placeholder ? 1 : 0;
  }
  ASSERT_GT(placeholders, 0);
  const Json list = answer(market, Venue::kBinanceUsdm, "symbol=BTCUSDT&limit=1000");
  EXPECT_EQ(static_cast<int64_t>(list.size()), 900 - placeholders);
}

TEST(TradeList, AnAnswerCanBeEmptyOrLackItsFirstHalf) {
  const Market market = make_market(Venue::kBinanceSpot);
  const std::string query = "symbol=BTCUSDT&fromId=1&limit=10";
  EXPECT_EQ(answer(market, Venue::kBinanceSpot, query, TradeListAnswer::kEmpty), Json::array());
  const auto whole = ids(answer(market, Venue::kBinanceSpot, query), "id");
  const auto half =
      ids(answer(market, Venue::kBinanceSpot, query, TradeListAnswer::kSecondHalf), "id");
  EXPECT_EQ(half, std::vector<int64_t>(whole.begin() + 5, whole.end()));
}

TEST(TradeList, ASymbolThatIsNotListedHasNoAnswer) {
  const Market market = make_market(Venue::kBinanceSpot);
  EXPECT_TRUE(answer(market, Venue::kBinanceSpot, "symbol=NOPE&fromId=1").is_null());
}

}  // namespace
}  // namespace tapeworks::simulator
