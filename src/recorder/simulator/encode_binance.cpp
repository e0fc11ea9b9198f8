#include <fmt/format.h>

#include "recorder/simulator/encode.h"

namespace tapeworks::simulator {
namespace {

constexpr int64_t kMillisecondNs = 1'000'000;

std::string spot_payload(const WireEvent& event) {
  switch (event.stream) {
    case Stream::kBook: {
      const WireLevel& bid = event.bids.front();
      const WireLevel& ask = event.asks.front();
      return fmt::format(R"({{"u":{},"s":"{}","b":"{}","B":"{}","a":"{}","A":"{}"}})",
                         event.sequence, event.symbol, bid.price, bid.quantity, ask.price,
                         ask.quantity);
    }
    case Stream::kL5:
      return fmt::format(R"({{"lastUpdateId":{},"bids":{},"asks":{}}})", event.sequence,
                         pairs_text(event.bids), pairs_text(event.asks));
    case Stream::kTrade: {
      const WireTrade& trade = event.trades.front();
      return fmt::format(
          R"({{"e":"trade","E":{},"s":"{}","t":{},"p":"{}","q":"{}","T":{},"m":{},"M":true}})",
          event.exchange_time_ns / kMillisecondNs, event.symbol, trade.id, trade.price,
          trade.quantity, event.event_time_ns / kMillisecondNs, trade.taker_sold);
    }
  }
  return {};
}

std::string usdm_payload(const WireEvent& event) {
  const int64_t event_ms = event.event_time_ns / kMillisecondNs;
  const int64_t exchange_ms = event.exchange_time_ns / kMillisecondNs;
  switch (event.stream) {
    case Stream::kBook: {
      const WireLevel& bid = event.bids.front();
      const WireLevel& ask = event.asks.front();
      return fmt::format(
          R"({{"e":"bookTicker","u":{},"s":"{}","b":"{}","B":"{}","a":"{}","A":"{}","T":{},"E":{},"ps":"{}","st":1}})",
          event.sequence, event.symbol, bid.price, bid.quantity, ask.price, ask.quantity, event_ms,
          exchange_ms, event.symbol);
    }
    case Stream::kL5:
      return fmt::format(
          R"({{"e":"depthUpdate","E":{},"T":{},"s":"{}","ps":"{}","U":{},"u":{},"pu":{},"b":{},"a":{},"st":1}})",
          exchange_ms, event_ms, event.symbol, event.symbol, event.previous_sequence + 1,
          event.sequence, event.previous_sequence, pairs_text(event.bids), pairs_text(event.asks));
    case Stream::kTrade: {
      const WireTrade& trade = event.trades.front();
      return fmt::format(
          R"({{"e":"trade","E":{},"T":{},"s":"{}","t":{},"p":"{}","q":"{}","X":"{}","m":{},"st":1}})",
          exchange_ms, event_ms, event.symbol, trade.id, trade.price, trade.quantity,
          trade.is_placeholder ? "NA" : "MARKET", trade.taker_sold);
    }
  }
  return {};
}

}  // namespace

std::string encode_binance(Venue venue, const WireEvent& event, std::string_view stream_name) {
  std::string payload = venue == Venue::kBinanceUsdm ? usdm_payload(event) : spot_payload(event);
  if (stream_name.empty()) return payload;
  return fmt::format(R"({{"stream":"{}","data":{}}})", stream_name, payload);
}

}  // namespace tapeworks::simulator
