#include "recorder/protocol/decoders_internal.h"
#include "recorder/protocol/kucoin_common_internal.h"
#include "recorder/protocol/row_fields_internal.h"

namespace tapeworks::recorder {
namespace {

Status add_ticker(std::string_view symbol, JsonValue data, DecodedFrame& decoded) {
  TW_ASSIGN(EventRow* const row, decoded.add_row(Stream::kBook));
  TW_TRY(set_symbol(*row, symbol));
  TW_ASSIGN(row->sequence, optional_sequence(data, "sequence"));
  TW_ASSIGN(row->event_time_ns, optional_time_ns(data, "time", TimeUnit::kMilliseconds));
  row->quantity_unit = QuantityUnit::kBase;
  TW_TRY(set_level(*row, BookSide::kBid, 0, data["bestBid"], data["bestBidSize"]));
  return set_level(*row, BookSide::kAsk, 0, data["bestAsk"], data["bestAskSize"]);
}

/// Each side is one flat pair, or an empty list.
Status add_level1(std::string_view symbol, JsonValue data, DecodedFrame& decoded) {
  TW_ASSIGN(EventRow* const row, decoded.add_row(Stream::kBook));
  TW_TRY(set_symbol(*row, symbol));
  TW_ASSIGN(row->event_time_ns, optional_time_ns(data, "timestamp", TimeUnit::kMilliseconds));
  row->quantity_unit = QuantityUnit::kBase;
  const auto add_side = [&](BookSide side, JsonValue pair) -> Status {
    if (!pair.is_array() || pair.size() == 1) return corrupt("a side is no pair");
    if (pair.size() == 0) return {};
    return set_level(*row, side, 0, pair.first(), pair.first().after());
  };
  TW_TRY(add_side(BookSide::kBid, data["bids"]));
  return add_side(BookSide::kAsk, data["asks"]);
}

Status add_depth(std::string_view symbol, JsonValue data, DecodedFrame& decoded) {
  TW_ASSIGN(EventRow* const row, decoded.add_row(Stream::kL5));
  TW_TRY(set_symbol(*row, symbol));
  TW_ASSIGN(row->event_time_ns, optional_time_ns(data, "timestamp", TimeUnit::kMilliseconds));
  row->quantity_unit = QuantityUnit::kBase;
  TW_TRY(set_levels(*row, BookSide::kBid, data["bids"]));
  return set_levels(*row, BookSide::kAsk, data["asks"]);
}

}  // namespace

Status decode_kucoin_spot(JsonValue root, DecodedFrame& decoded) {
  TW_ASSIGN(const bool is_control, decode_kucoin_control(root, decoded));
  if (is_control) return {};
  const KucoinTopic topic = split_kucoin_topic(root["topic"].text());
  const std::string_view symbol = kucoin_symbol(root, topic);
  const JsonValue data = root["data"];
  decoded.kind = FrameKind::kRows;
  if (topic.path == "/market/ticker") return add_ticker(symbol, data, decoded);
  if (topic.path == "/spotMarket/level1") return add_level1(symbol, data, decoded);
  if (topic.path == "/spotMarket/level2Depth5" || topic.path == "/spotMarket/level2Depth50") {
    return add_depth(symbol, data, decoded);
  }
  if (topic.path == "/market/match")
    return add_kucoin_trade(symbol, data, "time", QuantityUnit::kBase, decoded);
  if (topic.path == "/market/level2") {
    decoded.ignore("depth_diff");
  } else if (topic.path == "/market/candles") {
    decoded.ignore("kline");
  } else {
    decoded.ignore(topic.path.starts_with("/contract") ? "other_market" : "other_stream");
  }
  return {};
}

}  // namespace tapeworks::recorder
