#include <fmt/format.h>

#include "recorder/simulator/encode.h"

namespace tapeworks::simulator {
namespace {

constexpr int64_t kMicrosecondNs = 1'000;
constexpr int64_t kMillisecondNs = 1'000'000;
constexpr int64_t kSecondNs = 1'000'000'000;

std::string frame(const WireEvent& event, std::string_view channel, std::string_view kind,
                  std::string_view result) {
  return fmt::format(R"({{"time":{},"time_ms":{},"channel":"{}","event":"{}","result":{}}})",
                     event.exchange_time_ns / kSecondNs, event.exchange_time_ns / kMillisecondNs,
                     channel, kind, result);
}

std::string objects_text(const std::vector<WireLevel>& levels, std::string_view quote) {
  std::string text = "[";
  for (const WireLevel& level : levels) {
    if (text.size() > 1) text += ',';
    text += fmt::format(R"({{"p":"{}","s":{}{}{}}})", level.price, quote, level.quantity, quote);
  }
  return text + "]";
}

std::string book_result(const WireEvent& event, std::string_view quote) {
  const WireLevel& bid = event.bids.front();
  const WireLevel& ask = event.asks.front();
  return fmt::format(
      R"({{"t":{0},"u":{1},"s":"{2}","b":"{3}","B":{7}{4}{7},"a":"{5}","A":{7}{6}{7}}})",
      event.event_time_ns / kMillisecondNs, event.sequence, event.symbol, bid.price, bid.quantity,
      ask.price, ask.quantity, quote);
}

std::string spot_message(const WireEvent& event) {
  switch (event.stream) {
    case Stream::kBook:
      return frame(event, "spot.book_ticker", "update", book_result(event, "\""));
    case Stream::kL5:
      return frame(
          event, "spot.order_book", "update",
          fmt::format(R"({{"t":{},"lastUpdateId":{},"s":"{}","l":"5","bids":{},"asks":{}}})",
                      event.event_time_ns / kMillisecondNs, event.sequence, event.symbol,
                      pairs_text(event.bids), pairs_text(event.asks)));
    case Stream::kTrade: {
      const WireTrade& trade = event.trades.front();
      const int64_t time_us = event.event_time_ns / kMicrosecondNs;
      return frame(
          event, "spot.trades", "update",
          fmt::format(
              R"({{"id":{0},"id_market":{0},"create_time":{1},"create_time_ms":"{2}.{3:03}000","side":"{4}","currency_pair":"{5}","amount":"{6}","price":"{7}","range":"{0}-{0}","trade_mode":0}})",
              trade.id, time_us / 1'000'000, time_us / 1'000, time_us % 1'000,
              trade.taker_sold ? "sell" : "buy", event.symbol, trade.quantity, trade.price));
    }
  }
  return {};
}

std::string futures_message(const WireEvent& event, std::string_view quote) {
  const int64_t time_ms = event.event_time_ns / kMillisecondNs;
  switch (event.stream) {
    case Stream::kBook:
      return frame(event, "futures.book_ticker", "update", book_result(event, quote));
    case Stream::kL5:
      return frame(event, "futures.order_book", "all",
                   fmt::format(R"({{"t":{},"id":{},"contract":"{}","asks":{},"bids":{},"l":"5"}})",
                               time_ms, event.sequence, event.symbol,
                               objects_text(event.asks, quote), objects_text(event.bids, quote)));
    case Stream::kTrade: {
      std::string list = "[";
      for (const WireTrade& trade : event.trades) {
        if (list.size() > 1) list += ',';
        list += fmt::format(
            R"({{"id":{},"size":{}{}{}{},"create_time":{},"create_time_ms":{},"price":"{}","contract":"{}"}})",
            trade.id, quote, trade.taker_sold ? "-" : "", trade.quantity, quote, time_ms / 1000,
            time_ms, trade.price, event.symbol);
      }
      return frame(event, "futures.trades", "update", list + "]");
    }
  }
  return {};
}

}  // namespace

std::string encode_gate(Venue venue, const WireEvent& event, bool quoted_sizes) {
  return venue == Venue::kGateFutures ? futures_message(event, quoted_sizes ? "\"" : "")
                                      : spot_message(event);
}

}  // namespace tapeworks::simulator
