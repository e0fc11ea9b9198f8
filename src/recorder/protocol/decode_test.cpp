#include "recorder/protocol/decode.h"

#include <gtest/gtest.h>

namespace tapeworks::recorder {
namespace {

class Decode : public testing::Test {
 protected:
  Status status(Venue venue, std::string_view payload) {
    return decode_frame(venue, {.payload = payload, .receive_time_ns = receive_time_ns_}, context_,
                        decoded_);
  }
  /// The one row of a frame that has one; decoded_ has the rest.
  const EventRow& row(Venue venue, std::string_view payload) {
    static const EventRow kNone;
    const auto result = status(venue, payload);
    EXPECT_TRUE(result) << payload << ": " << result.error().message;
    EXPECT_EQ(decoded_.rows().size(), 1u) << payload;
    return decoded_.rows().empty() ? kNone : decoded_.rows()[0];
  }
  std::string error(Venue venue, std::string_view payload) {
    const auto result = status(venue, payload);
    EXPECT_FALSE(result) << payload;
    EXPECT_TRUE(decoded_.rows().empty());
    return result ? "" : result.error().message;
  }

  DecodeContext context_;
  std::optional<int64_t> receive_time_ns_;
  DecodedFrame decoded_;
};

constexpr std::string_view kUsdmTrade =
    R"({"stream":"btcusdt@trade","data":{"e":"trade","E":1771263510064,"T":1771263510063,)"
    R"("s":"BTCUSDT","t":7297376207,"p":"68005.00","q":"0.100","X":"MARKET","m":true}})";

std::string with(std::string_view text, std::string_view old_part, std::string_view new_part) {
  std::string changed(text);
  const size_t at = changed.find(old_part);
  EXPECT_NE(at, std::string::npos) << old_part;
  return changed.replace(at, old_part.size(), new_part);
}

TEST_F(Decode, ATradeFillsItsColumnsAndLeavesTheOthersNull) {
  const EventRow& trade = row(Venue::kBinanceUsdm, kUsdmTrade);
  EXPECT_EQ(trade.stream, Stream::kTrade);
  EXPECT_EQ(trade.symbol, "BTCUSDT");
  EXPECT_EQ(trade.event_time_ns, 1771263510063000000);
  EXPECT_EQ(trade.exchange_time_ns, 1771263510064000000);
  EXPECT_EQ(trade.sequence, 7297376207);
  EXPECT_EQ(trade.trade_id, "7297376207");
  EXPECT_EQ(trade.side, Side::kSell);
  EXPECT_EQ(trade.price, 68005.0);
  EXPECT_EQ(trade.quantity, 0.1);
  EXPECT_EQ(trade.quantity_unit, QuantityUnit::kBase);
  EXPECT_EQ(trade.bids[0].price, std::nullopt);
  EXPECT_EQ(trade.raw, "");
  EXPECT_EQ(trade.flags, 0u);
}

TEST_F(Decode, NothingOfTheFrameBeforeStays) {
  row(Venue::kGateFutures,
      R"({"time":1790359195,"channel":"futures.trades","event":"update","result":[)"
      R"({"id":1,"size":"-0.12345678901234567890","create_time":1790359195,"price":"1",)"
      R"("contract":"BTC_USDT","is_internal":true}]})");
  EXPECT_NE(decoded_.rows()[0].raw, "");
  const EventRow& book =
      row(Venue::kBinanceSpot,
          R"({"stream":"a@bookTicker","data":{"u":1,"s":"A","b":"1","B":"2","a":"3","A":"4"}})");
  EXPECT_EQ(book.raw, "");
  EXPECT_EQ(book.trade_id, "");
  EXPECT_EQ(book.flags, 0u);
  EXPECT_EQ(book.side, std::nullopt);
  EXPECT_EQ(book.event_time_ns, std::nullopt);
}

TEST_F(Decode, UnknownMembersAndAnyOrderMakeNoDifference) {
  const EventRow expected = row(Venue::kBinanceUsdm, kUsdmTrade);
  const EventRow& other = row(
      Venue::kBinanceUsdm,
      R"({"x":[{"y":[]}],"data":{"nq":null,"m":true,"q":"0.100","X":"MARKET","p":"68005.00",)"
      R"("t":7297376207,"s":"BTCUSDT","T":1771263510063,"E":1771263510064,"e":"trade","st":{}},)"
      R"("stream":"btcusdt@trade"})");
  EXPECT_EQ(other.sequence, expected.sequence);
  EXPECT_EQ(other.price, expected.price);
  EXPECT_EQ(other.side, expected.side);
  EXPECT_EQ(other.event_time_ns, expected.event_time_ns);
}

TEST_F(Decode, PlaceholdersAreNoRowsButHaveANumber) {
  ASSERT_TRUE(status(Venue::kBinanceUsdm, with(kUsdmTrade, "MARKET", "NA")));
  EXPECT_EQ(decoded_.kind, FrameKind::kPlaceholder);
  EXPECT_TRUE(decoded_.rows().empty());
  EXPECT_EQ(decoded_.placeholder.symbol, "BTCUSDT");
  EXPECT_EQ(decoded_.placeholder.sequence, 7297376207);
}

TEST_F(Decode, ATimeInAnotherUnitIsAnError) {
  for (const char* time : {"1771263510", "1771263510063000", "1771263510063000000",
                           "-1771263510063", "1e300", "1771263510063.0000001"}) {
    const std::string frame =
        with(kUsdmTrade, "\"T\":1771263510063", fmt::format("\"T\":{}", time));
    EXPECT_NE(error(Venue::kBinanceUsdm, frame).find("unit"), std::string::npos) << time;
  }
  const EventRow& scientific =
      row(Venue::kBinanceUsdm, with(kUsdmTrade, "\"T\":1771263510063", "\"T\":1.771263510063e12"));
  EXPECT_EQ(scientific.event_time_ns, 1771263510063000000);
}

TEST_F(Decode, AnUnknownTimeIsNull) {
  const std::string zero = with(kUsdmTrade, "\"T\":1771263510063", "\"T\":0");
  EXPECT_EQ(row(Venue::kBinanceUsdm, zero).event_time_ns, std::nullopt);
  const std::string none = with(kUsdmTrade, "\"T\":1771263510063,", "");
  EXPECT_EQ(row(Venue::kBinanceUsdm, none).event_time_ns, std::nullopt);
}

TEST_F(Decode, WhatFloat64DoesNotKeepStandsInRaw) {
  const EventRow& one =
      row(Venue::kBinanceUsdm, with(kUsdmTrade, "68005.00", "68005.123456789012345678"));
  EXPECT_EQ(one.price, 68005.123456789012345678);
  EXPECT_EQ(one.raw, R"({"price":"68005.123456789012345678"})");
  const EventRow& both = row(
      Venue::kBinanceUsdm,
      with(with(kUsdmTrade, "68005.00", "9007199254740993"), "0.100", "0.10000000000000000001"));
  EXPECT_EQ(both.raw, R"({"price":"9007199254740993","quantity":"0.10000000000000000001"})");
  const EventRow& scientific = row(Venue::kBinanceUsdm, with(kUsdmTrade, "68005.00", "6.8005E+4"));
  EXPECT_EQ(scientific.price, 68005.0);
  EXPECT_EQ(scientific.raw, "");
}

TEST_F(Decode, WhatIsNoNumberGoesIntoQuarantine) {
  for (const char* price :
       {"", "NaN", "inf", "-Infinity", "1e999", "1e-999", "12,5", "0x10", "1 "}) {
    error(Venue::kBinanceUsdm, with(kUsdmTrade, "68005.00", price));
  }
  error(Venue::kBinanceUsdm, with(kUsdmTrade, "\"68005.00\"", "null"));
  error(Venue::kBinanceUsdm, with(kUsdmTrade, "\"68005.00\"", "{}"));
  error(Venue::kBinanceUsdm, with(kUsdmTrade, "0.100", "-0.100"));
  error(Venue::kBinanceUsdm, with(kUsdmTrade, "7297376207", "7297376207.5"));
  error(Venue::kBinanceUsdm, with(kUsdmTrade, "7297376207", "9223372036854775808"));
  error(Venue::kBinanceUsdm, with(kUsdmTrade, "true", "1"));
  error(Venue::kBinanceUsdm, with(kUsdmTrade, "\"BTCUSDT\"", "\"\""));
}

TEST_F(Decode, AllOrNothing) {
  const std::string frame =
      R"({"time":1790359195,"channel":"futures.trades","event":"update","result":[)"
      R"({"id":1,"size":2,"create_time":1790359195,"price":"1","contract":"BTC_USDT"},)"
      R"({"id":2,"size":2,"create_time":1790359195,"price":"?","contract":"BTC_USDT"}]})";
  EXPECT_NE(error(Venue::kGateFutures, frame).find("gate usdt_futures: price"), std::string::npos);
  ASSERT_TRUE(status(Venue::kGateFutures, with(frame, "?", "3")));
  EXPECT_EQ(decoded_.rows().size(), 2u);
}

TEST_F(Decode, TooManyRowsAreRefusedAndNotCutOff) {
  const auto frame = [](size_t trades) {
    std::string text =
        R"({"time":1790359195,"channel":"futures.trades","event":"update","result":[)";
    for (size_t i = 0; i < trades; ++i) {
      text += fmt::format(R"({}{{"id":{},"size":1,"price":"1","contract":"X"}})", i == 0 ? "" : ",",
                          i + 1);
    }
    return text + "]}";
  };
  ASSERT_TRUE(status(Venue::kGateFutures, frame(DecodedFrame::kRowsMax)));
  EXPECT_EQ(decoded_.rows().size(), DecodedFrame::kRowsMax);
  error(Venue::kGateFutures, frame(DecodedFrame::kRowsMax + 1));
}

TEST_F(Decode, TheNameOfTheStreamTellsASnapshotFromAChange) {
  const std::string frame =
      R"({"stream":"btcusdt@depth5@100ms","data":{"e":"depthUpdate","E":1623494540877,)"
      R"("T":1623494540870,"s":"BTCUSDT","U":1,"u":2,"pu":0,"b":[["1","2"]],"a":[]}})";
  const EventRow& snapshot = row(Venue::kBinanceUsdm, frame);
  EXPECT_EQ(snapshot.stream, Stream::kL5);
  EXPECT_EQ(snapshot.bids[0].quantity, 2.0);
  EXPECT_EQ(snapshot.bids[1].price, std::nullopt);
  EXPECT_EQ(snapshot.asks[0].price, std::nullopt);
  ASSERT_TRUE(status(Venue::kBinanceUsdm, with(frame, "depth5@100ms", "depth@100ms")));
  EXPECT_EQ(decoded_.ignored_kind, "depth_diff");
  error(Venue::kBinanceUsdm, with(frame, "depthUpdate", "trade"));
}

TEST_F(Decode, SymbolsComeBackInTheirRestSpelling) {
  const auto frame = [](std::string_view symbol) {
    return fmt::format(
        R"({{"stream":"{}@depth5@100ms","data":{{"lastUpdateId":1,"bids":[],"asks":[]}}}})",
        symbol);
  };
  EXPECT_EQ(row(Venue::kBinanceSpot, frame("btcusdt")).symbol, "BTCUSDT");
  StreamSymbols symbols;
  symbols.add("币安人生USDT");
  symbols.add("MixedUSDT");
  context_.symbols = &symbols;
  EXPECT_EQ(row(Venue::kBinanceSpot, frame("币安人生usdt")).symbol, "币安人生USDT");
  EXPECT_EQ(row(Venue::kBinanceSpot, frame("mixedusdt")).symbol, "MixedUSDT");
  EXPECT_EQ(row(Venue::kBinanceSpot, frame("ethusdt")).symbol, "ETHUSDT");
  error(Venue::kBinanceSpot, frame(""));
  error(Venue::kBinanceSpot, frame(std::string(2000, 'a')));
}

TEST_F(Decode, AnEmptySideIsNull) {
  const EventRow& gate =
      row(Venue::kGateFutures,
          R"({"id":null,"time":1648880663,"channel":"futures.book_ticker","event":"update",)"
          R"("error":null,"result":{"t":0,"u":0,"s":"BSW_USDT","b":"","B":0,"a":"1.5","A":0}})");
  EXPECT_EQ(gate.bids[0].price, std::nullopt);
  EXPECT_EQ(gate.bids[0].quantity, std::nullopt);
  EXPECT_EQ(gate.asks[0].price, 1.5);
  EXPECT_EQ(gate.asks[0].quantity, 0.0);
  EXPECT_EQ(gate.sequence, std::nullopt);
  EXPECT_EQ(gate.event_time_ns, std::nullopt);
  const EventRow& kucoin =
      row(Venue::kKucoinSpot, R"({"type":"message","topic":"/spotMarket/level1:A-B",)"
                              R"("data":{"asks":[],"bids":["2","3"],"timestamp":1729816058766}})");
  EXPECT_EQ(kucoin.bids[0].quantity, 3.0);
  EXPECT_EQ(kucoin.asks[0].price, std::nullopt);
}

TEST_F(Decode, TheSignOfAContractCountIsTheSideOfTheTaker) {
  const auto frame = [](std::string_view size) {
    return fmt::format(
        R"({{"time":1790359195,"channel":"futures.trades","event":"update","result":[{{"id":1,)"
        R"("size":{},"create_time_ms":1790359195732,"price":"1","contract":"BTC_USDT"}}]}})",
        size);
  };
  const EventRow sold = row(Venue::kGateFutures, frame("\"-0.25\""));
  EXPECT_EQ(sold.side, Side::kSell);
  EXPECT_EQ(sold.quantity, 0.25);
  EXPECT_EQ(sold.quantity_unit, QuantityUnit::kContract);
  EXPECT_EQ(row(Venue::kGateFutures, frame("3")).side, Side::kBuy);
  EXPECT_EQ(row(Venue::kGateFutures, frame("0")).side, std::nullopt);
}

TEST_F(Decode, AFractionOfAMillisecondMayHaveAnyLength) {
  const auto time_of = [&](std::string_view text) {
    return row(Venue::kGateSpot,
               fmt::format(R"({{"time":1619093543,"channel":"spot.trades","event":"update",)"
                           R"("result":{{"id":8,"create_time":1619093543,"create_time_ms":"{}",)"
                           R"("side":"sell","currency_pair":"A_B","amount":"1","price":"1"}}}})",
                           text))
        .event_time_ns;
  };
  EXPECT_EQ(time_of("1619093543708.2642"), 1619093543708264200);
  EXPECT_EQ(time_of("1785141195444.991000"), 1785141195444991000);
  EXPECT_EQ(time_of("1682689046123.0"), 1682689046123000000);
  EXPECT_EQ(time_of("1682689046123"), 1682689046123000000);
}

TEST_F(Decode, ATimeFarFromReceiptIsKeptAndFlagged) {
  constexpr int64_t kEventNs = 1771263510063000000;
  constexpr int64_t kHourNs = 3'600'000'000'000;
  receive_time_ns_ = kEventNs + kHourNs;
  EXPECT_EQ(row(Venue::kBinanceUsdm, kUsdmTrade).flags, 0u);
  receive_time_ns_ = kEventNs + kHourNs + 2'000'000;
  EXPECT_EQ(row(Venue::kBinanceUsdm, kUsdmTrade).flags, kFlagTimeSkew);
  receive_time_ns_ = kEventNs - kHourNs - 2'000'000;
  EXPECT_EQ(row(Venue::kBinanceUsdm, kUsdmTrade).flags, kFlagTimeSkew);
  EXPECT_EQ(row(Venue::kBinanceUsdm, kUsdmTrade).event_time_ns, kEventNs);
}

TEST_F(Decode, WhatNoVenueSendsGoesIntoQuarantine) {
  for (const Venue venue : kVenues) {
    for (const char* frame : {"{}", "[]", "[{}]", R"({"a":1})", "ping", "", "null"}) {
      error(venue, frame);
    }
  }
  EXPECT_FALSE(decode_frame(Venue::kGateSpot,
                            {.payload = R"({"channel":"spot.pong","event":""})",
                             .opcode = Opcode::kBinary,
                             .receive_time_ns = {}},
                            context_, decoded_));
}

TEST_F(Decode, StreamsOfTheFutureAreNoFault) {
  ASSERT_TRUE(status(Venue::kBinanceSpot, R"({"stream":"a@newThing","data":[1,2]})"));
  EXPECT_EQ(decoded_.ignored_kind, "other_stream");
  ASSERT_TRUE(status(Venue::kKucoinSpot, R"({"type":"message","topic":"/new:A","data":{}})"));
  EXPECT_EQ(decoded_.ignored_kind, "other_stream");
  ASSERT_TRUE(status(Venue::kGateSpot, R"({"channel":"spot.new","event":"update","result":{}})"));
  EXPECT_EQ(decoded_.ignored_kind, "other_stream");
}

TEST_F(Decode, RepliesSayWhatTheyAnswer) {
  ASSERT_TRUE(status(Venue::kKucoinSpot,
                     R"({"id":"7","type":"error","code":509,"data":"exceed max permits"})"));
  EXPECT_EQ(decoded_.kind, FrameKind::kError);
  EXPECT_EQ(decoded_.reply.id, "7");
  EXPECT_EQ(decoded_.reply.code, 509);
  EXPECT_EQ(decoded_.reply.message, "exceed max permits");
  ASSERT_TRUE(status(Venue::kGateSpot,
                     R"({"time":1,"id":4,"channel":"spot.trades","event":"subscribe",)"
                     R"("error":{"code":2,"message":"unknown"},"result":{"status":"fail"}})"));
  EXPECT_EQ(decoded_.kind, FrameKind::kError);
  EXPECT_EQ(decoded_.reply.id, "4");
  EXPECT_EQ(decoded_.reply.channel, "spot.trades");
  ASSERT_TRUE(status(Venue::kBinanceSpot, R"({"error":{"code":2,"msg":"bad"},"id":"x"})"));
  EXPECT_EQ(decoded_.kind, FrameKind::kError);
  EXPECT_EQ(decoded_.reply.id, "x");
  ASSERT_TRUE(status(Venue::kGateFutures,
                     R"({"time":1,"channel":"futures.system","event":"update",)"
                     R"("result":{"type":"upgrade"}})"));
  EXPECT_EQ(decoded_.kind, FrameKind::kShutdown);
}

TEST(Venue, IsFoundByItsNames) {
  for (const Venue venue : kVenues) {
    const VenueName name = name_of(venue);
    EXPECT_EQ(find_venue(name.exchange, name.market, name.transport), venue);
  }
  EXPECT_EQ(find_venue("gate", "futures", "json"), Venue::kGateFutures);
  EXPECT_EQ(find_venue("gate", "options", "json"), std::nullopt);
}

}  // namespace
}  // namespace tapeworks::recorder
