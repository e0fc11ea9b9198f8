#include "recorder/protocol/trade_page.h"

#include <string>

#include <gtest/gtest.h>

namespace tapeworks::recorder {
namespace {

constexpr int64_t kTimeNs = 1'700'000'000'123'000'000;

/// The rows, oldest first; fails the test when the page is refused.
const DecodedFrame& decoded_page(Venue venue, const std::string& symbol, const std::string& body) {
  static DecodedFrame decoded;
  const Status status = decode_trade_page(venue, symbol, body, decoded);
  EXPECT_TRUE(status) << status.error().message;
  return decoded;
}

TEST(TradePage, BinanceRowsAreThoseOfTheTradeStream) {
  const auto rows =
      decoded_page(Venue::kBinanceSpot, "BTCUSDT",
                   R"([{"id":7,"price":"60123.45","qty":"0.5","quoteQty":"1","time":1700000000123,)"
                   R"("isBuyerMaker":true,"isBestMatch":true}])")
          .rows();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].stream, Stream::kTrade);
  EXPECT_EQ(rows[0].symbol, "BTCUSDT");
  EXPECT_EQ(rows[0].sequence, 7);
  EXPECT_EQ(rows[0].trade_id, "7");
  EXPECT_EQ(rows[0].event_time_ns, kTimeNs);
  EXPECT_EQ(rows[0].exchange_time_ns, std::nullopt) << "an answer does not say when it was sent";
  EXPECT_EQ(rows[0].side, Side::kSell);
  EXPECT_EQ(rows[0].price, 60123.45);
  EXPECT_EQ(rows[0].quantity, 0.5);
  EXPECT_EQ(rows[0].quantity_unit, QuantityUnit::kBase);
}

TEST(TradePage, BinanceTimesMayBeMicroseconds) {
  const auto rows = decoded_page(Venue::kBinanceSpotSbe, "BTCUSDT",
                                 R"([{"id":7,"price":"1","qty":"2","time":1700000000123456,)"
                                 R"("isBuyerMaker":false}])")
                        .rows();
  EXPECT_EQ(rows[0].event_time_ns, kTimeNs + 456'000);
  EXPECT_EQ(rows[0].side, Side::kBuy);
}

TEST(TradePage, KucoinSpotHasNoTradeIdAndFuturesHave) {
  const auto spot =
      decoded_page(Venue::kKucoinSpot, "BTC-USDT",
                   R"({"code":"200000","data":[{"sequence":"12","price":"2.5","size":"3",)"
                   R"("side":"buy","time":1700000000123000000}]})")
          .rows();
  EXPECT_EQ(spot[0].sequence, 12);
  EXPECT_EQ(spot[0].trade_id, "");
  EXPECT_EQ(spot[0].event_time_ns, kTimeNs);
  const auto futures =
      decoded_page(Venue::kKucoinFutures, "XBTUSDTM",
                   R"({"code":"200000","data":[{"sequence":12,"tradeId":"ab","price":"2.5",)"
                   R"("size":3,"side":"sell","ts":1700000000123000000}]})")
          .rows();
  EXPECT_EQ(futures[0].trade_id, "ab");
  EXPECT_EQ(futures[0].quantity_unit, QuantityUnit::kContract);
}

TEST(TradePage, GateSpotKeepsMicroseconds) {
  const auto rows =
      decoded_page(
          Venue::kGateSpot, "BTC_USDT",
          R"([{"id":"5","create_time":"1700000000","create_time_ms":"1700000000123.456000",)"
          R"("currency_pair":"BTC_USDT","side":"sell","amount":"3","price":"2"}])")
          .rows();
  EXPECT_EQ(rows[0].event_time_ns, kTimeNs + 456'000);
  EXPECT_EQ(rows[0].sequence, 5);
  EXPECT_EQ(rows[0].side, Side::kSell);
}

TEST(TradePage, GateFuturesMilliunitIsSecondsAndTheSignIsTheSide) {
  const auto rows =
      decoded_page(Venue::kGateFutures, "BTC_USDT",
                   R"([{"id":5,"create_time":1700000000,"create_time_ms":1700000000.123,)"
                   R"("contract":"BTC_USDT","size":"-3","price":"2"},)"
                   R"({"id":6,"create_time":1700000000.2,"create_time_ms":1700000000123,)"
                   R"("contract":"BTC_USDT","size":4,"price":"2"}])")
          .rows();
  EXPECT_EQ(rows[0].event_time_ns, kTimeNs);
  EXPECT_EQ(rows[0].side, Side::kSell);
  EXPECT_EQ(rows[0].quantity, 3.0);
  EXPECT_EQ(rows[1].event_time_ns, kTimeNs) << "as the name says, should they mend it";
  EXPECT_EQ(rows[1].side, Side::kBuy);
}

TEST(TradePage, RowsAreInTheOrderOfTheirNumbers) {
  std::string body;
  for (const int number : {9, 7, 8}) {
    body += body.empty() ? "[" : ",";
    body += fmt::format(
        R"({{"id":{},"price":"1","qty":"1","time":1700000000123,"isBuyerMaker":true}})", number);
  }
  const auto rows = decoded_page(Venue::kBinanceUsdm, "BTCUSDT", body + "]").rows();
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].sequence, 7);
  EXPECT_EQ(rows[2].sequence, 9);
}

TEST(TradePage, AnEmptyListIsAPage) {
  EXPECT_TRUE(decoded_page(Venue::kGateSpot, "A_B", "[]").rows().empty());
}

TEST(TradePage, WhatIsNoListOfTradesIsRefusedWhole) {
  DecodedFrame decoded;
  const auto message = [&](Venue venue, std::string_view body) {
    const Status status = decode_trade_page(venue, "S", body, decoded);
    EXPECT_TRUE(decoded.rows().empty());
    return status ? std::string("accepted") : status.error().message;
  };
  EXPECT_NE(message(Venue::kBinanceSpot, R"({"code":-1121,"msg":"Invalid symbol."})")
                .find("no list of trades"),
            std::string::npos);
  EXPECT_NE(message(Venue::kKucoinSpot, R"({"code":"400100","msg":"symbol not exists"})")
                .find("symbol not exists"),
            std::string::npos);
  EXPECT_NE(message(Venue::kBinanceSpot,
                    R"([{"id":7,"price":"1","qty":"1","time":1700000000123,"isBuyerMaker":true},)"
                    R"({"id":8}])"),
            "accepted");
  EXPECT_NE(message(Venue::kGateSpot, "<html>"), "accepted");
}

}  // namespace
}  // namespace tapeworks::recorder
