#include "recorder/symbol_choice.h"

#include <gtest/gtest.h>

namespace tapeworks::recorder {
namespace {

FeedConfig feed_of(std::vector<std::string> symbols) {
  FeedConfig feed;
  feed.venue = Venue::kBinanceSpot;
  feed.symbols = std::move(symbols);
  return feed;
}

std::vector<ListedInstrument> list_of(const std::vector<std::string>& symbols) {
  std::vector<ListedInstrument> list;
  for (const std::string& symbol : symbols) {
    list.emplace_back().facts.symbol = symbol;
  }
  return list;
}

TEST(SymbolChoice, APatternFindsWhatTradesAndANameIsTakenAsItIs) {
  auto list = list_of({"BTCUSDT", "ETHUSDT", "ETHBTC", "OLDUSDT"});
  list.back().facts.is_trading = false;
  const FeedConfig feed = feed_of({"NEWBTC", "*USDT", "X*"});
  ASSERT_TRUE(has_patterns(feed));
  TakenStreams taken;
  const SymbolChoice choice = choose_symbols(feed, list, {}, taken);
  EXPECT_EQ(choice.symbols, (std::vector<std::string>{"NEWBTC", "BTCUSDT", "ETHUSDT"}));
  EXPECT_EQ(choice.unmatched_patterns, std::vector<std::string>{"X*"});
}

TEST(SymbolChoice, WhatOverlappingPatternsFindIsThereOnce) {
  TakenStreams taken;
  const auto choice =
      choose_symbols(feed_of({"*USDT", "BTC*", "*"}), list_of({"BTCUSDT", "BTCEUR"}), {}, taken);
  EXPECT_EQ(choice.symbols, (std::vector<std::string>{"BTCUSDT", "BTCEUR"}));
}

TEST(SymbolChoice, AStreamThatAnotherFeedRecordsIsLeftToIt) {
  TakenStreams taken;
  FeedConfig named = feed_of({"BTCUSDT"});
  named.streams = {Stream::kTrade};
  taken.add(named, "BTCUSDT");
  const auto list = list_of({"BTCUSDT", "ETHUSDT"});
  FeedConfig books = feed_of({"*"});
  books.streams = {Stream::kBook};
  EXPECT_EQ(choose_symbols(books, list, {}, taken).symbols.size(), 2U);
  FeedConfig trades = feed_of({"*"});
  trades.streams = {Stream::kTrade};
  EXPECT_EQ(choose_symbols(trades, list, {}, taken).symbols, std::vector<std::string>{"ETHUSDT"});
  FeedConfig sbe = trades;
  sbe.venue = Venue::kBinanceSpotSbe;
  EXPECT_EQ(choose_symbols(sbe, list, {}, taken).symbols.size(), 2U);
}

TEST(SymbolChoice, OfWhatPatternsFindTheTopByVolumeIsTaken) {
  FeedConfig feed = feed_of({"DUSDT", "*USDT", "B*"});
  feed.top_by_volume = 2;
  TakenStreams taken;
  taken.add(feed, "DUSDT");
  const auto list = list_of({"AUSDT", "BUSDT", "CUSDT", "DUSDT", "EUSDT", "BBTC"});
  // The named one and what another feed records do not count; nor does what no pattern wants.
  FeedConfig other = feed_of({"EUSDT"});
  taken.add(other, "EUSDT");
  const QuoteVolumes volumes{{"AUSDT", 10}, {"CUSDT", 30}, {"DUSDT", 99},
                             {"EUSDT", 50}, {"BBTC", 20},  {"XBTC", 99}};
  const SymbolChoice choice = choose_symbols(feed, list, volumes, taken);
  EXPECT_EQ(choice.symbols, (std::vector<std::string>{"DUSDT", "CUSDT", "BBTC"}));
  EXPECT_TRUE(taken.has(feed, "CUSDT"));
  EXPECT_FALSE(taken.has(feed, "AUSDT"));
  give_back_found(feed, choice.symbols, taken);
  EXPECT_FALSE(taken.has(feed, "CUSDT"));
  EXPECT_TRUE(taken.has(feed, "DUSDT"));
}

TEST(SymbolChoice, EqualVolumesGoByName) {
  FeedConfig feed = feed_of({"*"});
  feed.top_by_volume = 2;
  TakenStreams taken;
  EXPECT_EQ(choose_symbols(feed, list_of({"C", "B", "A", "D"}), {{"D", 1}}, taken).symbols,
            (std::vector<std::string>{"A", "D"}));
}

}  // namespace
}  // namespace tapeworks::recorder
