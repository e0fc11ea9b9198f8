#include "recorder/protocol/binance_common_internal.h"
#include "recorder/protocol/decoders_internal.h"
#include "recorder/protocol/row_fields_internal.h"

namespace tapeworks::recorder {
namespace {

Status add_snapshot(JsonValue payload, DecodedFrame& decoded) {
  TW_ASSIGN(EventRow* const row, decoded.add_row(Stream::kL5));
  TW_ASSIGN(const std::string_view symbol, required_text(payload, "s"));
  TW_TRY(set_symbol(*row, symbol));
  TW_ASSIGN(row->sequence, required_integer(payload, "u"));
  TW_ASSIGN(row->event_time_ns, optional_time_ns(payload, "T", TimeUnit::kMilliseconds));
  TW_ASSIGN(row->exchange_time_ns, optional_time_ns(payload, "E", TimeUnit::kMilliseconds));
  row->quantity_unit = QuantityUnit::kBase;
  TW_TRY(set_levels(*row, BookSide::kBid, payload["b"]));
  TW_TRY(set_levels(*row, BookSide::kAsk, payload["a"]));
  decoded.kind = FrameKind::kRows;
  return {};
}

/// A payload that came without the name of its stream.
Status decode_bare(JsonValue payload, DecodedFrame& decoded) {
  const std::string_view event = payload["e"].text();
  if (event == "trade") return add_binance_trade(payload, decoded);
  if (event == "bookTicker") return add_binance_book(payload, decoded);
  if (event == "depthUpdate" || payload["lastUpdateId"].has_value()) {
    // A snapshot or a diff: only the name of the stream would tell.
    decoded.ignore("unattributed_depth");
    return {};
  }
  if (event.empty()) return corrupt("the frame has no shape that is known");
  decoded.ignore(binance_ignored_kind(event));
  return {};
}

}  // namespace

Status decode_binance_usdm(JsonValue root, DecodedFrame& decoded) {
  if (decode_binance_control(root, decoded)) return {};
  if (!root["stream"].is_string()) return decode_bare(root, decoded);
  const std::string_view channel = split_binance_stream(root["stream"].text()).channel;
  const JsonValue payload = root["data"];
  if (is_binance_snapshot(channel)) {
    TW_TRY(expect_binance_event(payload, "depthUpdate"));
    return add_snapshot(payload, decoded);
  }
  return decode_binance_message(channel, payload, decoded);
}

}  // namespace tapeworks::recorder
