#include <fmt/format.h>

#include "recorder/simulator/encode.h"

namespace tapeworks::simulator {
namespace {

constexpr int64_t kMillisecondNs = 1'000'000;

/// Order numbers mean nothing to a recorder; they only have to look real.
std::string order_id(const WireEvent& event, int which) {
  return fmt::format("{:024x}", event.logical_id * 2 + static_cast<uint64_t>(which));
}

std::string spot_message(const WireEvent& event, std::string_view topic) {
  switch (event.stream) {
    case Stream::kBook: {
      const WireLevel& bid = event.bids.front();
      const WireLevel& ask = event.asks.front();
      return fmt::format(
          R"({{"topic":"{}","type":"message","subject":"trade.ticker","data":{{"bestAsk":"{}","bestAskSize":"{}","bestBid":"{}","bestBidSize":"{}","price":"{}","sequence":"{}","size":"{}","time":{}}}}})",
          topic, ask.price, ask.quantity, bid.price, bid.quantity, bid.price, event.sequence,
          ask.quantity, event.event_time_ns / kMillisecondNs);
    }
    case Stream::kL5:
      return fmt::format(
          R"({{"topic":"{}","type":"message","subject":"level2","data":{{"asks":{},"bids":{},"timestamp":{}}}}})",
          topic, pairs_text(event.asks, "\""), pairs_text(event.bids, "\""),
          event.event_time_ns / kMillisecondNs);
    case Stream::kTrade: {
      const WireTrade& trade = event.trades.front();
      return fmt::format(
          R"({{"topic":"{}","type":"message","subject":"trade.l3match","data":{{"makerOrderId":"{}","price":"{}","sequence":"{}","side":"{}","size":"{}","symbol":"{}","takerOrderId":"{}","time":"{}","tradeId":"{}","type":"match"}}}})",
          topic, order_id(event, 0), trade.price, trade.id, trade.taker_sold ? "sell" : "buy",
          trade.quantity, event.symbol, order_id(event, 1), event.event_time_ns, trade.id);
    }
  }
  return {};
}

std::string futures_message(const WireEvent& event, std::string_view topic) {
  switch (event.stream) {
    case Stream::kBook: {
      const WireLevel& bid = event.bids.front();
      const WireLevel& ask = event.asks.front();
      return fmt::format(
          R"({{"topic":"{}","type":"message","subject":"tickerV2","sn":{},"data":{{"symbol":"{}","sequence":{},"bestBidSize":{},"bestBidPrice":"{}","bestAskPrice":"{}","bestAskSize":{},"ts":{}}}}})",
          topic, event.sequence, event.symbol, event.sequence, bid.quantity, bid.price, ask.price,
          ask.quantity, event.event_time_ns);
    }
    case Stream::kL5: {
      const int64_t time_ms = event.event_time_ns / kMillisecondNs;
      return fmt::format(
          R"({{"topic":"{}","type":"message","subject":"level2","sn":{},"data":{{"bids":{},"sequence":{},"timestamp":{},"ts":{},"asks":{}}}}})",
          topic, event.sequence, pairs_text(event.bids, ""), event.sequence, time_ms, time_ms,
          pairs_text(event.asks, ""));
    }
    case Stream::kTrade: {
      const WireTrade& trade = event.trades.front();
      return fmt::format(
          R"({{"topic":"{}","type":"message","subject":"match","sn":{},"data":{{"symbol":"{}","sequence":{},"side":"{}","size":{},"price":"{}","takerOrderId":"{}","makerOrderId":"{}","tradeId":"{}","ts":{}}}}})",
          topic, trade.id, event.symbol, trade.id, trade.taker_sold ? "sell" : "buy",
          trade.quantity, trade.price, order_id(event, 1), order_id(event, 0), trade.id,
          event.event_time_ns);
    }
  }
  return {};
}

}  // namespace

std::string encode_kucoin(Venue venue, const WireEvent& event, std::string_view topic) {
  return venue == Venue::kKucoinFutures ? futures_message(event, topic)
                                        : spot_message(event, topic);
}

}  // namespace tapeworks::simulator
