#include "recorder/simulator/encode.h"

#include <gtest/gtest.h>

namespace tapeworks::simulator {
namespace {

constexpr int64_t kTimeNs = 1'789'722'601'401'000'000;

MarketEvent book_event() {
  MarketEvent event;
  event.logical_id = 7;
  event.stream = Stream::kBook;
  event.symbol = "BTCUSDT";
  event.event_time_ns = kTimeNs;
  event.exchange_time_ns = kTimeNs + 1'000'000;
  event.sequence = 99;
  event.previous_sequence = 90;
  event.bids = {{{6'012'345, 2}, {7, 8}}};
  event.asks = {{{6'012'350, 2}, {120'000'000, 8}}};
  return event;
}

MarketEvent trade_event() {
  MarketEvent event = book_event();
  event.stream = Stream::kTrade;
  event.bids.clear();
  event.asks.clear();
  event.trades = {{555, {6'012'340, 2}, {30, 3}, true, false}};
  return event;
}

TEST(NumberText, HasTheZerosOfTheVenue) {
  using Zeros = NumberStyle::Zeros;
  EXPECT_EQ(number_text({6'012'340, 2}, {}), "60123.40");
  EXPECT_EQ(number_text({6'012'340, 2}, {Zeros::kPadTo8, NumberForm::kPlain}), "60123.40000000");
  EXPECT_EQ(number_text({5, 0}, {Zeros::kPadTo8, NumberForm::kPlain}), "5.00000000");
  EXPECT_EQ(number_text({78'901, 10}, {Zeros::kPadTo8, NumberForm::kPlain}), "0.0000078901");
  EXPECT_EQ(number_text({6'012'340, 2}, {Zeros::kTrim, NumberForm::kPlain}), "60123.4");
  EXPECT_EQ(number_text({6'012'300, 2}, {Zeros::kTrim, NumberForm::kPlain}), "60123");
  EXPECT_EQ(number_text({100, 0}, {Zeros::kTrim, NumberForm::kPlain}), "100");
  EXPECT_EQ(number_text({7, 8}, {}), "0.00000007");
}

TEST(NumberText, IsTheSameNumberInScientificNotation) {
  const NumberStyle style{NumberStyle::Zeros::kAsIs, NumberForm::kScientific};
  EXPECT_EQ(number_text({6'012'340, 2}, style), "6.01234e4");
  EXPECT_EQ(number_text({7, 8}, style), "7e-8");
  EXPECT_EQ(number_text({100, 0}, style), "1e2");
  EXPECT_EQ(number_text({0, 3}, style), "0");
}

TEST(Encode, BinanceSpotHasTheShapeOfRealMessages) {
  const WireStyle style{{NumberStyle::Zeros::kPadTo8, NumberForm::kPlain},
                        {NumberStyle::Zeros::kPadTo8, NumberForm::kPlain},
                        false};
  EXPECT_EQ(
      encode_binance(Venue::kBinanceSpot, write_numbers(book_event(), style), "btcusdt@bookTicker"),
      R"({"stream":"btcusdt@bookTicker","data":{"u":99,"s":"BTCUSDT","b":"60123.45000000","B":"0.00000007","a":"60123.50000000","A":"1.20000000"}})");
  EXPECT_EQ(
      encode_binance(Venue::kBinanceSpot, write_numbers(trade_event(), style), ""),
      R"({"e":"trade","E":1789722601402,"s":"BTCUSDT","t":555,"p":"60123.40000000","q":"0.03000000","T":1789722601401,"m":true,"M":true})");
}

TEST(Encode, BinanceUsdmHasTheAdditionsOf2026) {
  EXPECT_EQ(
      encode_binance(Venue::kBinanceUsdm, write_numbers(trade_event(), {}), "btcusdt@trade"),
      R"({"stream":"btcusdt@trade","data":{"e":"trade","E":1789722601402,"T":1789722601401,"s":"BTCUSDT","t":555,"p":"60123.40","q":"0.030","X":"MARKET","m":true,"st":1}})");
  MarketEvent placeholder = trade_event();
  placeholder.trades[0].is_placeholder = true;
  EXPECT_NE(encode_binance(Venue::kBinanceUsdm, write_numbers(placeholder, {}), "")
                .find(R"("p":"0","q":"0","X":"NA")"),
            std::string::npos);
  EXPECT_EQ(ledger_rows(Venue::kBinanceUsdm, write_numbers(placeholder, {})), "[]");
}

TEST(Encode, SbeBookTickerIsByteForByteTheSchema) {
  const std::string frame = encode_binance_sbe(book_event());
  // As in the real frames: block 50, template 10001, schema 1, version 0.
  EXPECT_EQ(frame.substr(0, 8), std::string("\x32\x00\x11\x27\x01\x00\x00\x00", 8));
  ASSERT_EQ(frame.size(), 8U + 50U + 1U + 7U);
  const auto number_at = [&frame](size_t place) {
    int64_t value = 0;
    for (size_t i = 8; i-- > 0;) value = value * 256 + static_cast<uint8_t>(frame[place + i]);
    return value;
  };
  EXPECT_EQ(number_at(8), (kTimeNs + 1'000'000) / 1000);
  EXPECT_EQ(number_at(16), 99);
  EXPECT_EQ(frame.substr(24, 2), "\xf8\xf8") << "exponents -8";
  EXPECT_EQ(number_at(26), 6'012'345'000'000);
  EXPECT_EQ(number_at(34), 7);
  EXPECT_EQ(number_at(42), 6'012'350'000'000);
  EXPECT_EQ(number_at(50), 120'000'000);
  EXPECT_EQ(frame.substr(58),
            "\x07"
            "BTCUSDT");
}

TEST(Encode, SbeTradesHaveAGroupOf25Bytes) {
  MarketEvent event = trade_event();
  event.trades.push_back(event.trades[0]);
  const std::string frame = encode_binance_sbe(event);
  EXPECT_EQ(frame.substr(26, 6), std::string("\x19\x00\x02\x00\x00\x00", 6));
  EXPECT_EQ(frame.size(), 8U + 18U + 6U + 2U * 25U + 8U);
}

TEST(Encode, GateFuturesWritesSizesAsAskedAndSellsNegative) {
  MarketEvent event = trade_event();
  event.symbol = "BTC_USDT";
  event.trades[0].quantity = {105, 1};
  WireStyle style{{NumberStyle::Zeros::kTrim, NumberForm::kPlain},
                  {NumberStyle::Zeros::kTrim, NumberForm::kPlain},
                  false};
  EXPECT_EQ(
      encode_gate(Venue::kGateFutures, write_numbers(event, style), true),
      R"({"time":1789722601,"time_ms":1789722601402,"channel":"futures.trades","event":"update","result":[{"id":555,"size":"-10.5","create_time":1789722601,"create_time_ms":1789722601401,"price":"60123.4","contract":"BTC_USDT"}]})");
  style.whole_quantities = true;
  const std::string whole = encode_gate(Venue::kGateFutures, write_numbers(event, style), false);
  EXPECT_NE(whole.find(R"("size":-10,)"), std::string::npos) << whole;
}

TEST(LedgerRows, HaveOnlyTheTimesThatTheVenueSends) {
  const std::string spot = ledger_rows(Venue::kBinanceSpot, write_numbers(book_event(), {}));
  EXPECT_EQ(
      spot,
      R"([{"stream":"book","symbol":"BTCUSDT","quantity_unit":"base","sequence":99,"bid_price_1":60123.45,"bid_quantity_1":0.00000007,"ask_price_1":60123.50,"ask_quantity_1":1.20000000}])");
  const std::string trade = ledger_rows(Venue::kKucoinSpot, write_numbers(trade_event(), {}));
  EXPECT_EQ(
      trade,
      R"([{"stream":"trade","symbol":"BTCUSDT","event_time":1789722601401000000,"quantity_unit":"base","sequence":555,"trade_id":"555","side":"sell","price":60123.40,"quantity":0.030}])");
}

}  // namespace
}  // namespace tapeworks::simulator
