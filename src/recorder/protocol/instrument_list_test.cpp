#include "recorder/protocol/instrument_list.h"

#include <gtest/gtest.h>

namespace tapeworks::recorder {
namespace {

InstrumentFacts only_one(Venue venue, std::string_view body) {
  const auto list = parse_instrument_list(venue, body);
  EXPECT_TRUE(list) << list.error().message;
  if (!list || list->size() != 1) return {};
  return list->front().facts;
}

TEST(InstrumentList, ReadsBinanceWhateverStandsAroundTheList) {
  const auto facts = only_one(Venue::kBinanceUsdm, R"( {"rateLimits":[{"symbols":[1]}],
      "note":"\"symbols\":[", "serverTime":17e2,"symbols":[ {"symbol":"BTCUSDT","status":"SETTLING",
      "filters":[{"filterType":"PRICE_FILTER","tickSize":"0.10"},
                 {"filterType":"LOT_SIZE","stepSize":"0.001"},{"filterType":"OTHER"}]} ],"x":[]})");
  EXPECT_EQ(facts.symbol, "BTCUSDT");
  EXPECT_EQ(facts.status, "SETTLING");
  EXPECT_FALSE(facts.is_trading);
  EXPECT_EQ(facts.price_tick, 0.1);
  EXPECT_EQ(facts.quantity_step, 0.001);
  EXPECT_FALSE(facts.multiplier);
}

TEST(InstrumentList, ReadsKucoin) {
  const auto spot = only_one(
      Venue::kKucoinSpot,
      R"({"code":"200000","data":[{"symbol":"BTC-USDT","baseIncrement":"0.00000001","priceIncrement":"0.1","enableTrading":true}]})");
  EXPECT_EQ(spot.symbol, "BTC-USDT");
  EXPECT_EQ(spot.status, "trading");
  EXPECT_EQ(spot.quantity_step, 1e-8);
  const auto futures = only_one(
      Venue::kKucoinFutures,
      R"({"code":"200000","data":[{"symbol":"XBTUSDTM","multiplier":0.001,"lotSize":1,"tickSize":0.1,"status":"Open"}]})");
  EXPECT_TRUE(futures.is_trading);
  EXPECT_EQ(futures.multiplier, 0.001);
  EXPECT_EQ(futures.price_tick, 0.1);
  EXPECT_EQ(futures.quantity_step, 1.0);
}

TEST(InstrumentList, ReadsGateWhosePrecisionsAreDecimals) {
  const auto spot = only_one(
      Venue::kGateSpot,
      R"([{"id":"BTC_USDT","amount_precision":6,"precision":1,"trade_status":"untradable"}])");
  EXPECT_FALSE(spot.is_trading);
  EXPECT_EQ(spot.price_tick, 0.1);
  EXPECT_EQ(spot.quantity_step, 1e-6);
  const auto futures = only_one(
      Venue::kGateFutures,
      R"([{"name":"BTC_USDT","quanto_multiplier":"0.0001","order_price_round":"0.1","order_size_min":1,"in_delisting":false}])");
  EXPECT_TRUE(futures.is_trading);
  EXPECT_EQ(futures.multiplier, 0.0001);
}

TEST(InstrumentList, AnEntryIsAPartOfTheReplyAsItWas) {
  const std::string_view body = R"([{"id":"A","s":"]}\""}, {"id":"B"}])";
  const auto list = parse_instrument_list(Venue::kGateSpot, body);
  ASSERT_TRUE(list) << list.error().message;
  ASSERT_EQ(list->size(), 2U);
  EXPECT_EQ(list->at(0).entry, R"({"id":"A","s":"]}\""})");
  EXPECT_EQ(list->at(1).entry, R"({"id":"B"})");
}

TEST(InstrumentList, WhatIsCutAnywhereIsNoList) {
  const std::string body = R"({"code":"200000","data":[{"symbol":"A-B"},{"symbol":"C-D"}])";
  for (size_t length = 0; length < body.size(); ++length) {
    EXPECT_FALSE(
        parse_instrument_list(Venue::kKucoinSpot, std::string_view(body).substr(0, length)))
        << length;
  }
  EXPECT_TRUE(parse_instrument_list(Venue::kKucoinSpot, body + "}"));
}

TEST(InstrumentList, AnErrorOfTheServerIsNamed) {
  const auto list =
      parse_instrument_list(Venue::kKucoinSpot, R"({"code":"429000","msg":"Too Many Requests"})");
  ASSERT_FALSE(list);
  EXPECT_NE(list.error().message.find("Too Many Requests"), std::string::npos);
  EXPECT_FALSE(parse_instrument_list(Venue::kGateSpot, R"([{"name":"no id"}])"));
  EXPECT_TRUE(parse_instrument_list(Venue::kGateSpot, " [ ] ").value().empty());
}

TEST(SymbolPattern, StarIsAnyTextAndQuestionMarkOneCharacter) {
  EXPECT_TRUE(matches_symbol_pattern("BTCUSDT", "*USDT"));
  EXPECT_TRUE(matches_symbol_pattern("USDTUSDT", "*USDT"));
  EXPECT_TRUE(matches_symbol_pattern("BTCUSDT", "*"));
  EXPECT_TRUE(matches_symbol_pattern("BTCUSDT", "B*U*T"));
  EXPECT_TRUE(matches_symbol_pattern("BTCUSDT", "BTCUSD?"));
  EXPECT_FALSE(matches_symbol_pattern("BTCUSDT", "BTCUSDT?"));
  EXPECT_FALSE(matches_symbol_pattern("BTCUSDT", "btc*"));
  EXPECT_FALSE(matches_symbol_pattern("BTCUSDTM", "*USDT"));
  EXPECT_FALSE(matches_symbol_pattern("BTC", ""));
  EXPECT_TRUE(matches_symbol_pattern("币安人生USDT", "????USDT"));
  EXPECT_FALSE(matches_symbol_pattern("币安人生USDT", "???USDT"));
  EXPECT_TRUE(matches_symbol_pattern("币安人生USDT", "*?USDT"));
}

}  // namespace
}  // namespace tapeworks::recorder
