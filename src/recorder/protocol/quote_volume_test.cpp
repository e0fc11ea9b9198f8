#include "recorder/protocol/quote_volume.h"

#include <gtest/gtest.h>

namespace tapeworks::recorder {
namespace {

TEST(QuoteVolume, ReadsTheFormOfEachVenue) {
  const auto volume = [](Venue venue, std::string_view symbol, std::string_view body) {
    const auto volumes = parse_quote_volumes(venue, body);
    EXPECT_TRUE(volumes) << volumes.error().message;
    return volumes && volumes->contains(symbol) ? volumes->find(symbol)->second : -1;
  };
  EXPECT_EQ(
      volume(
          Venue::kBinanceSpot, "ETHUSDT",
          R"([{"symbol":"BTCUSDT","volume":"1","quoteVolume":"9.5"},{"symbol":"ETHUSDT","volume":"7","quoteVolume":"15.30000000"}])"),
      15.3);
  EXPECT_EQ(volume(Venue::kBinanceUsdm, "BTCUSDT",
                   R"([{"symbol":"BTCUSDT","volume":"3","quoteVolume":"305.25"}])"),
            305.25);
  EXPECT_EQ(
      volume(
          Venue::kKucoinSpot, "BTC-USDT",
          R"({"code":"200000","data":{"time":1,"ticker":[{"symbol":"BTC-USDT","vol":"2","volValue":"99.5"}]}})"),
      99.5);
  EXPECT_EQ(
      volume(
          Venue::kKucoinFutures, "XBTUSDTM",
          R"({"code":"200000","data":[{"symbol":"XBTUSDTM","volumeOf24h":5.5,"turnoverOf24h":1.25E9}]})"),
      1.25e9);
  EXPECT_EQ(volume(Venue::kGateSpot, "BTC_USDT",
                   R"([{"currency_pair":"BTC_USDT","base_volume":"1","quote_volume":"64000.1"}])"),
            64000.1);
  EXPECT_EQ(
      volume(
          Venue::kGateFutures, "BTC_USDT",
          R"([{"contract":"BTC_USDT","volume_24h":"8","volume_24h_quote":"4231853464","volume_24h_settle":"1"}])"),
      4231853464.0);
}

TEST(QuoteVolume, ASymbolWithoutANumberIsLeftOut) {
  const auto volumes = parse_quote_volumes(
      Venue::kGateSpot,
      R"([{"currency_pair":"A_USDT","quote_volume":""},{"currency_pair":"B_USDT"},{"currency_pair":"C_USDT","quote_volume":"1"}])");
  ASSERT_TRUE(volumes) << volumes.error().message;
  EXPECT_EQ(*volumes, (QuoteVolumes{{"C_USDT", 1.0}}));
}

TEST(QuoteVolume, AnErrorOfTheServerIsNoList) {
  const auto volumes =
      parse_quote_volumes(Venue::kKucoinSpot, R"({"code":"429000","msg":"Too Many Requests"})");
  ASSERT_FALSE(volumes);
  EXPECT_TRUE(volumes.error().message.contains("no list of volumes")) << volumes.error().message;
  EXPECT_TRUE(volumes.error().message.contains("Too Many Requests")) << volumes.error().message;
  EXPECT_FALSE(parse_quote_volumes(Venue::kGateSpot, R"([{"currency_pair":"A_US)"));
  EXPECT_FALSE(parse_quote_volumes(Venue::kGateSpot, R"([{"quote_volume":"1"}])"));
  EXPECT_FALSE(parse_quote_volumes(Venue::kGateSpot, "[]"));
}

}  // namespace
}  // namespace tapeworks::recorder
