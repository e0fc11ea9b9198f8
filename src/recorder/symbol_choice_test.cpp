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

/// What choose_top() finds where it is to find something.
std::vector<std::string> top_of(const FeedConfig& feed, const std::vector<ListedInstrument>& list,
                                const QuoteVolumes& volumes,
                                const std::vector<std::string>& recorded, TakenStreams& taken) {
  const auto choice = choose_top(feed, list, volumes, recorded, taken);
  EXPECT_TRUE(choice) << choice.error().message;
  return choice ? choice->symbols : std::vector<std::string>();
}

TEST(SymbolChoice, APatternFindsWhatTradesAndANameIsTakenAsItIs) {
  auto list = list_of({"BTCUSDT", "ETHUSDT", "ETHBTC", "OLDUSDT"});
  list.back().facts.is_trading = false;
  const FeedConfig feed = feed_of({"NEWBTC", "*USDT", "X*"});
  ASSERT_TRUE(has_patterns(feed));
  TakenStreams taken;
  const SymbolChoice choice = choose_symbols(feed, list, taken);
  EXPECT_EQ(choice.symbols, (std::vector<std::string>{"NEWBTC", "BTCUSDT", "ETHUSDT"}));
  EXPECT_EQ(choice.unmatched_patterns, std::vector<std::string>{"X*"});
}

TEST(SymbolChoice, WhatOverlappingPatternsFindIsThereOnce) {
  TakenStreams taken;
  const auto choice =
      choose_symbols(feed_of({"*USDT", "BTC*", "*"}), list_of({"BTCUSDT", "BTCEUR"}), taken);
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
  EXPECT_EQ(choose_symbols(books, list, taken).symbols.size(), 2U);
  FeedConfig trades = feed_of({"*"});
  trades.streams = {Stream::kTrade};
  EXPECT_EQ(choose_symbols(trades, list, taken).symbols, std::vector<std::string>{"ETHUSDT"});
  FeedConfig sbe = trades;
  sbe.venue = Venue::kBinanceSpotSbe;
  EXPECT_EQ(choose_symbols(sbe, list, taken).symbols.size(), 2U);
}

TEST(SymbolChoice, OfWhatPatternsFindTheTopByVolumeIsTaken) {
  FeedConfig feed = feed_of({"DUSDT", "*USDT", "B*"});
  feed.top_by_volume = 2;
  TakenStreams taken;
  taken.add(feed, "DUSDT");
  const auto list = list_of({"AUSDT", "BUSDT", "CUSDT", "DUSDT", "EUSDT", "BBTC"});
  // The named one and what another feed records do not count; nor does what no pattern wants.
  taken.add(feed_of({"EUSDT"}), "EUSDT");
  QuoteVolumes volumes{{"AUSDT", 10}, {"CUSDT", 30}, {"DUSDT", 99},
                       {"EUSDT", 50}, {"BBTC", 20},  {"XBTC", 99}};
  const auto first = top_of(feed, list, volumes, {"DUSDT"}, taken);
  EXPECT_EQ(first, (std::vector<std::string>{"DUSDT", "CUSDT", "BBTC"}));
  EXPECT_TRUE(taken.has(feed, "CUSDT"));
  EXPECT_FALSE(taken.has(feed, "AUSDT"));
  // And another time: what goes is free again, the name is not.
  volumes["AUSDT"] = 40;
  EXPECT_EQ(top_of(feed, list, volumes, first, taken),
            (std::vector<std::string>{"DUSDT", "AUSDT", "CUSDT"}));
  EXPECT_FALSE(taken.has(feed, "BBTC"));
  EXPECT_TRUE(taken.has(feed, "DUSDT"));
}

TEST(SymbolChoice, EqualVolumesGoByName) {
  FeedConfig feed = feed_of({"*"});
  feed.top_by_volume = 2;
  TakenStreams taken;
  EXPECT_EQ(top_of(feed, list_of({"C", "B", "A", "D"}), {{"D", 1}}, {}, taken),
            (std::vector<std::string>{"A", "D"}));
}

TEST(SymbolChoice, WhatIsRecordedStaysWhileItDoesNotTradeAndIsInTheTop) {
  FeedConfig feed = feed_of({"*"});
  feed.top_by_volume = 2;
  TakenStreams taken;
  auto list = list_of({"A", "B", "C"});
  const auto first = top_of(feed, list, {{"A", 3}, {"B", 2}, {"C", 1}}, {}, taken);
  list[0].facts.is_trading = false;
  EXPECT_EQ(top_of(feed, list, {{"A", 3}, {"B", 2}, {"C", 1}}, first, taken),
            (std::vector<std::string>{"A", "B"}));
  EXPECT_EQ(top_of(feed, list, {{"A", 0}, {"B", 2}, {"C", 1}}, first, taken),
            (std::vector<std::string>{"B", "C"}));
}

TEST(SymbolChoice, NoChoiceIsBuiltOnRepliesThatCannotBe) {
  FeedConfig feed = feed_of({"*"});
  feed.top_by_volume = 2;
  TakenStreams taken;
  const std::vector<std::string> recorded{"A", "B"};
  for (const std::string& symbol : recorded) taken.add(feed, symbol);
  const QuoteVolumes volumes{{"A", 3}, {"B", 2}};
  EXPECT_FALSE(choose_top(feed, {}, volumes, recorded, taken)) << "maintenance";
  EXPECT_FALSE(choose_top(feed, list_of({"X", "Y", "Z"}), volumes, recorded, taken))
      << "volumes of something else";
  auto halted = list_of({"C", "D"});
  for (ListedInstrument& instrument : halted) instrument.facts.is_trading = false;
  EXPECT_FALSE(choose_top(feed, halted, {{"C", 1}, {"D", 1}}, recorded, taken));
  EXPECT_TRUE(taken.has(feed, "A") && taken.has(feed, "B"));
}

}  // namespace
}  // namespace tapeworks::recorder
