#include "recorder/simulator/market.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

namespace tapeworks::simulator {
namespace {

constexpr int64_t kStartNs = 1'790'000'000'123'456'789;

TEST(Market, SpellsSymbolsAsEachVenueDoes) {
  EXPECT_EQ(Market(Venue::kBinanceUsdm, 1, 1, kStartNs).symbol(0), "BTCUSDT");
  EXPECT_EQ(Market(Venue::kKucoinSpot, 1, 1, kStartNs).symbol(0), "BTC-USDT");
  EXPECT_EQ(Market(Venue::kKucoinFutures, 2, 1, kStartNs).symbol(0), "XBTUSDTM");
  EXPECT_EQ(Market(Venue::kKucoinFutures, 2, 1, kStartNs).symbol(1), "ETHUSDTM");
  EXPECT_EQ(Market(Venue::kGateSpot, 1, 1, kStartNs).symbol(0), "BTC_USDT");
}

TEST(Market, HasAsManyDifferentSymbolsAsAskedFor) {
  const Market market(Venue::kBinanceSpot, 1000, 1, kStartNs);
  std::set<std::string> names;
  for (size_t i = 0; i < market.symbol_count(); ++i) names.insert(market.symbol(i));
  EXPECT_EQ(names.size(), 1000U);
}

TEST(Market, FindsListedSymbolsOnly) {
  Market market(Venue::kBinanceSpot, 1, 1, kStartNs);
  EXPECT_EQ(market.find("BTCUSDT", false), 0U);
  EXPECT_EQ(market.find("btcusdt", true), 0U);
  EXPECT_FALSE(market.find("btcusdt", false));
  EXPECT_FALSE(market.find("币安人生USDT", false));
  market.list("币安人生USDT");
  EXPECT_EQ(market.find("币安人生usdt", true), 1U);
  market.delist("币安人生USDT");
  EXPECT_FALSE(market.find("币安人生USDT", false));
  market.list("币安人生USDT");
  EXPECT_EQ(market.find("币安人生USDT", false), 1U) << "it comes back as the same symbol";
  market.delist("never listed");
}

TEST(Market, BooksAreSortedAndNotCrossedAndCarryTheNumber) {
  for (const Venue venue : kVenues) {
    Market market(venue, 3, 7, kStartNs);
    for (uint64_t number = 1; number <= 500; ++number) {
      const MarketEvent event = market.next(Stream::kL5, number % 3, number, kStartNs);
      ASSERT_EQ(event.bids.size(), venue == Venue::kBinanceSpotSbe ? 20U : 5U);
      EXPECT_EQ(event.bids.front().quantity.mantissa, static_cast<int64_t>(number));
      EXPECT_LT(event.bids.front().price.mantissa, event.asks.front().price.mantissa);
      for (size_t i = 1; i < event.bids.size(); ++i) {
        EXPECT_LT(event.bids[i].price.mantissa, event.bids[i - 1].price.mantissa);
        EXPECT_GT(event.asks[i].price.mantissa, event.asks[i - 1].price.mantissa);
        EXPECT_GT(event.bids[i].quantity.mantissa, 0);
      }
      EXPECT_GT(event.bids.back().price.mantissa, 0);
    }
  }
}

TEST(Market, TradeIdsRiseByOneForEachSymbolAndSequencesRise) {
  Market market(Venue::kBinanceSpotSbe, 2, 1, kStartNs);
  int64_t id = 0;
  int64_t sequence = 0;
  size_t largest = 0;
  for (uint64_t number = 1; number <= 300; ++number) {
    market.next(Stream::kTrade, 1, number, kStartNs);
    const MarketEvent trades = market.next(Stream::kTrade, 0, number, kStartNs);
    for (const Trade& trade : trades.trades) {
      EXPECT_TRUE(id == 0 || trade.id == id + 1);
      id = trade.id;
    }
    largest = std::max(largest, trades.trades.size());
    const MarketEvent book = market.next(Stream::kBook, 0, number, kStartNs);
    EXPECT_GT(book.sequence, sequence);
    sequence = book.sequence;
  }
  EXPECT_GT(largest, 1U) << "an SBE frame may hold several trades";
}

TEST(Market, IdsRiseOverRestarts) {
  Market first(Venue::kGateSpot, 1, 1, kStartNs);
  Market second(Venue::kGateSpot, 1, 1, kStartNs + 1'000'000'000);
  EXPECT_LT(first.next(Stream::kTrade, 0, 1, kStartNs).trades[0].id,
            second.next(Stream::kTrade, 0, 1, kStartNs).trades[0].id);
}

TEST(Market, TimesAreWholeUnitsOfTheVenue) {
  for (const Venue venue : kVenues) {
    Market market(venue, 1, 1, kStartNs);
    const MarketEvent event = market.next(Stream::kBook, 0, 3, kStartNs);
    const int64_t unit_ns = facts_of(venue).time_unit_ns;
    EXPECT_EQ(event.event_time_ns % unit_ns, 0);
    EXPECT_EQ(event.exchange_time_ns % unit_ns, 0);
    EXPECT_LE(event.event_time_ns, event.exchange_time_ns);
    EXPECT_LE(event.exchange_time_ns, kStartNs);
  }
}

TEST(Market, IsAFunctionOfItsSeed) {
  Market one(Venue::kGateSpot, 1, 5, kStartNs);
  Market same(Venue::kGateSpot, 1, 5, kStartNs);
  Market other(Venue::kGateSpot, 1, 6, kStartNs);
  bool differs = false;
  for (uint64_t number = 1; number <= 50; ++number) {
    const int64_t price = one.next(Stream::kTrade, 0, number, kStartNs).trades[0].price.mantissa;
    EXPECT_EQ(same.next(Stream::kTrade, 0, number, kStartNs).trades[0].price.mantissa, price);
    differs |= other.next(Stream::kTrade, 0, number, kStartNs).trades[0].price.mantissa != price;
  }
  EXPECT_TRUE(differs);
}

}  // namespace
}  // namespace tapeworks::simulator
