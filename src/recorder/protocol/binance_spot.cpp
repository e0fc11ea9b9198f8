#include "recorder/protocol/binance_common_internal.h"
#include "recorder/protocol/decoders_internal.h"
#include "recorder/protocol/row_fields_internal.h"

namespace tapeworks::recorder {
namespace {

/// The payload has neither symbol nor time, so all there is to know is in the stream's name.
Status add_snapshot(std::string_view stream_symbol, JsonValue payload, const DecodeContext& context,
                    DecodedFrame& decoded) {
  static const StreamSymbols kNoSymbols;
  const StreamSymbols& symbols = context.symbols != nullptr ? *context.symbols : kNoSymbols;
  TW_ASSIGN(EventRow* const row, decoded.add_row(Stream::kL5));
  TW_TRY(set_symbol(*row, symbols.rest_spelling(stream_symbol)));
  TW_ASSIGN(row->sequence, required_integer(payload, "lastUpdateId"));
  row->quantity_unit = QuantityUnit::kBase;
  TW_TRY(set_levels(*row, BookSide::kBid, payload["bids"]));
  TW_TRY(set_levels(*row, BookSide::kAsk, payload["asks"]));
  decoded.kind = FrameKind::kRows;
  return {};
}

/// A payload that came without the name of its stream.
Status decode_bare(JsonValue payload, DecodedFrame& decoded) {
  if (const std::string_view event = payload["e"].text(); !event.empty()) {
    if (event == "trade") return add_binance_trade(payload, decoded);
    decoded.ignore(event == "depthUpdate" ? "depth_diff" : binance_ignored_kind(event));
    return {};
  }
  if (payload["lastUpdateId"].has_value()) {
    decoded.ignore("unattributed_depth");
    return {};
  }
  if (payload["u"].has_value()) return add_binance_book(payload, decoded);
  return corrupt("the frame has no shape that is known");
}

}  // namespace

Status decode_binance_spot(JsonValue root, const DecodeContext& context, DecodedFrame& decoded) {
  if (decode_binance_control(root, decoded)) return {};
  if (!root["stream"].is_string()) return decode_bare(root, decoded);
  const BinanceStream stream = split_binance_stream(root["stream"].text());
  const JsonValue payload = root["data"];
  if (is_binance_snapshot(stream.channel)) {
    return add_snapshot(stream.symbol, payload, context, decoded);
  }
  return decode_binance_message(stream.channel, payload, decoded);
}

}  // namespace tapeworks::recorder
