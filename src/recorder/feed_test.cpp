#include "recorder/feed.h"

#include <gtest/gtest.h>

namespace tapeworks::recorder {
namespace {

FeedConfig feed_of(Venue venue, const std::string& endpoint = "", const std::string& rest = "",
                   const std::string& route = "") {
  FeedConfig feed;
  feed.venue = venue;
  feed.endpoint = endpoint;
  feed.rest_endpoint = rest;
  feed.route = route;
  return feed;
}

TEST(FeedUrls, WithoutAnEndpointTheyAreTheExchanges) {
  EXPECT_EQ(urls_of(feed_of(Venue::kBinanceSpot)).url, "wss://stream.binance.com:9443/stream");
  EXPECT_EQ(urls_of(feed_of(Venue::kGateFutures)).url, "wss://fx-ws.gateio.ws/v4/ws/usdt");
  const FeedUrls kucoin = urls_of(feed_of(Venue::kKucoinSpot));
  EXPECT_EQ(kucoin.url, "");
  EXPECT_EQ(kucoin.token_url, "https://api.kucoin.com/api/v1/bullet-public");
}

TEST(FeedUrls, AnEndpointMayLeaveThePathToTheVenue) {
  EXPECT_EQ(urls_of(feed_of(Venue::kBinanceSpot, "ws://127.0.0.1:1")).url,
            "ws://127.0.0.1:1/stream");
  EXPECT_EQ(urls_of(feed_of(Venue::kBinanceSpot, "ws://127.0.0.1:1/")).url,
            "ws://127.0.0.1:1/stream");
  EXPECT_EQ(urls_of(feed_of(Venue::kBinanceSpot, "wss://h/other")).url, "wss://h/other");
  EXPECT_EQ(urls_of(feed_of(Venue::kKucoinFutures, "", "http://127.0.0.1:2")).token_url,
            "http://127.0.0.1:2/api/v1/bullet-public");
  EXPECT_EQ(urls_of(feed_of(Venue::kKucoinSpot, "ws://127.0.0.1:3/")).token_url,
            "http://127.0.0.1:3/api/v1/bullet-public");
}

TEST(FeedUrls, InstrumentsAreAskedForAtTheRestEndpointOrTheEndpointsHost) {
  EXPECT_EQ(urls_of(feed_of(Venue::kGateSpot)).instruments_url,
            "https://api.gateio.ws/api/v4/spot/currency_pairs");
  EXPECT_EQ(urls_of(feed_of(Venue::kBinanceUsdm, "wss://h:1/x", "https://r:2/y")).instruments_url,
            "https://r:2/fapi/v1/exchangeInfo");
  EXPECT_EQ(urls_of(feed_of(Venue::kBinanceSpot, "ws://127.0.0.1:3/stream")).instruments_url,
            "http://127.0.0.1:3/api/v3/exchangeInfo?showPermissionSets=false");
}

TEST(FeedUrls, ARouteOfUsdmReplacesThePublicOne) {
  EXPECT_EQ(urls_of(feed_of(Venue::kBinanceUsdm)).url, "wss://fstream.binance.com/public/stream");
  EXPECT_EQ(urls_of(feed_of(Venue::kBinanceUsdm, "", "", "market")).url,
            "wss://fstream.binance.com/market/stream");
  EXPECT_EQ(urls_of(feed_of(Venue::kBinanceUsdm, "ws://localhost:9", "", "market")).url,
            "ws://localhost:9/market/stream");
}

TEST(BacklogMeter, CountsWhatTheSinkHasNotTaken) {
  BacklogMeter meter;
  meter.add(100);
  meter.mark(11);
  meter.add(50);
  meter.mark(21);
  EXPECT_EQ(meter.unconsumed_bytes(5), 150U);
  EXPECT_EQ(meter.unconsumed_bytes(10), 50U);
  EXPECT_EQ(meter.unconsumed_bytes(20), 0U);
  meter.add(7);
  EXPECT_EQ(meter.unconsumed_bytes(20), 7U);
}

TEST(BacklogMeter, AFeedThatStandsStillDoesNotWaitForTheOthers) {
  BacklogMeter meter;
  meter.add(100);
  meter.mark(11);
  meter.mark(1'000);
  EXPECT_EQ(meter.unconsumed_bytes(10), 0U);
}

TEST(BacklogMeter, ManyMarksGetSparserAndStayRight) {
  BacklogMeter meter;
  const uint64_t count = 10 * BacklogMeter::kMarksMax;
  for (uint64_t lsn = 1; lsn <= count; ++lsn) {
    meter.add(1);
    meter.mark(lsn + 1);
  }
  // Never too little; exact at the end.
  EXPECT_GE(meter.unconsumed_bytes(count / 2), count / 2);
  EXPECT_EQ(meter.unconsumed_bytes(count), 0U);
}

}  // namespace
}  // namespace tapeworks::recorder
