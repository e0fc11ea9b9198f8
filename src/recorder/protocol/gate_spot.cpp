#include "recorder/protocol/decoders_internal.h"
#include "recorder/protocol/gate_common_internal.h"
#include "recorder/protocol/row_fields_internal.h"

namespace tapeworks::recorder {
namespace {

Status add_snapshot(JsonValue root, DecodedFrame& decoded) {
  const JsonValue book = root["result"];
  TW_ASSIGN(EventRow* const row, decoded.add_row(Stream::kL5));
  TW_ASSIGN(const std::string_view symbol, required_text(book, "s"));
  TW_TRY(set_symbol(*row, symbol));
  TW_ASSIGN(row->sequence, optional_sequence(book, "lastUpdateId"));
  TW_ASSIGN(row->event_time_ns, optional_time_ns(book, "t", TimeUnit::kMilliseconds));
  TW_ASSIGN(row->exchange_time_ns, gate_frame_time_ns(root));
  row->quantity_unit = QuantityUnit::kBase;
  TW_TRY(set_levels(*row, BookSide::kBid, book["bids"]));
  TW_TRY(set_levels(*row, BookSide::kAsk, book["asks"]));
  decoded.kind = FrameKind::kRows;
  return {};
}

Status add_trade(JsonValue root, DecodedFrame& decoded) {
  const JsonValue trade = root["result"];
  TW_ASSIGN(EventRow* const row, decoded.add_row(Stream::kTrade));
  TW_ASSIGN(const std::string_view symbol, required_text(trade, "currency_pair"));
  TW_TRY(set_symbol(*row, symbol));
  TW_ASSIGN(row->sequence, required_integer(trade, "id"));
  row->trade_id.assign(trade["id"].text());
  TW_TRY(set_gate_trade_time(*row, trade));
  TW_ASSIGN(row->exchange_time_ns, gate_frame_time_ns(root));
  TW_ASSIGN(row->side, required_side(trade, "side"));
  TW_TRY(set_trade(*row, trade["price"], trade["amount"], QuantityUnit::kBase));
  decoded.kind = FrameKind::kRows;
  return {};
}

}  // namespace

Status decode_gate_spot(JsonValue root, DecodedFrame& decoded) {
  TW_ASSIGN(const auto channel, decode_gate_control(root, "spot", decoded));
  if (!channel) return {};
  if (*channel == "book_ticker") return add_gate_book(root, QuantityUnit::kBase, decoded);
  if (*channel == "order_book") return add_snapshot(root, decoded);
  if (*channel == "trades") return add_trade(root, decoded);
  decoded.ignore(gate_ignored_kind(*channel));
  return {};
}

}  // namespace tapeworks::recorder
