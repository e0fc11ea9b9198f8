#include "recorder/protocol/decoders_internal.h"
#include "recorder/protocol/kucoin_common_internal.h"
#include "recorder/protocol/row_fields_internal.h"

namespace tapeworks::recorder {
namespace {

/// tickerV2, and the older ticker, which adds the last trade.
Status add_ticker(std::string_view symbol, JsonValue data, DecodedFrame& decoded) {
  TW_ASSIGN(EventRow* const row, decoded.add_row(Stream::kBook));
  TW_TRY(set_symbol(*row, symbol));
  TW_ASSIGN(row->sequence, optional_sequence(data, "sequence"));
  TW_ASSIGN(row->event_time_ns, optional_time_ns(data, "ts", TimeUnit::kNanoseconds));
  row->quantity_unit = QuantityUnit::kContract;
  TW_TRY(set_level(*row, BookSide::kBid, 0, data["bestBidPrice"], data["bestBidSize"]));
  return set_level(*row, BookSide::kAsk, 0, data["bestAskPrice"], data["bestAskSize"]);
}

Status add_depth(std::string_view symbol, JsonValue data, DecodedFrame& decoded) {
  TW_ASSIGN(EventRow* const row, decoded.add_row(Stream::kL5));
  TW_TRY(set_symbol(*row, symbol));
  TW_ASSIGN(row->sequence, optional_sequence(data, "sequence"));
  // The manual of 2019 says nanoseconds; every frame since 2021 has milliseconds.
  TW_ASSIGN(row->event_time_ns, optional_time_ns(data, data["ts"].has_value() ? "ts" : "timestamp",
                                                 TimeUnit::kMilliseconds, TimeUnit::kNanoseconds));
  row->quantity_unit = QuantityUnit::kContract;
  TW_TRY(set_levels(*row, BookSide::kBid, data["bids"]));
  return set_levels(*row, BookSide::kAsk, data["asks"]);
}

}  // namespace

Status decode_kucoin_futures(JsonValue root, DecodedFrame& decoded) {
  TW_ASSIGN(const bool is_control, decode_kucoin_control(root, decoded));
  if (is_control) return {};
  const KucoinTopic topic = split_kucoin_topic(root["topic"].text());
  const std::string_view symbol = kucoin_symbol(root, topic);
  const JsonValue data = root["data"];
  decoded.kind = FrameKind::kRows;
  if (topic.path == "/contractMarket/tickerV2" || topic.path == "/contractMarket/ticker") {
    return add_ticker(symbol, data, decoded);
  }
  if (topic.path == "/contractMarket/level2Depth5" ||
      topic.path == "/contractMarket/level2Depth50") {
    return add_depth(symbol, data, decoded);
  }
  if (topic.path == "/contractMarket/execution")
    return add_kucoin_trade(symbol, data, "ts", QuantityUnit::kContract, decoded);
  if (topic.path == "/contractMarket/level2") {
    decoded.ignore("depth_diff");
  } else {
    const bool spot = topic.path.starts_with("/market/") || topic.path.starts_with("/spotMarket/");
    decoded.ignore(spot ? "other_market" : "other_stream");
  }
  return {};
}

}  // namespace tapeworks::recorder
