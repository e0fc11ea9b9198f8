#include "recorder/protocol/decoders_internal.h"
#include "recorder/protocol/gate_common_internal.h"
#include "recorder/protocol/row_fields_internal.h"

namespace tapeworks::recorder {
namespace {

Status add_snapshot(JsonValue root, DecodedFrame& decoded) {
  const JsonValue book = root["result"];
  TW_ASSIGN(EventRow* const row, decoded.add_row(Stream::kL5));
  TW_ASSIGN(const std::string_view symbol, required_text(book, "contract"));
  TW_TRY(set_symbol(*row, symbol));
  TW_ASSIGN(row->sequence, optional_sequence(book, "id"));
  TW_ASSIGN(row->event_time_ns, optional_time_ns(book, "t", TimeUnit::kMilliseconds));
  TW_ASSIGN(row->exchange_time_ns, gate_frame_time_ns(root));
  row->quantity_unit = QuantityUnit::kContract;
  TW_TRY(set_levels(*row, BookSide::kBid, book["bids"]));
  return set_levels(*row, BookSide::kAsk, book["asks"]);
}

Status add_trades(JsonValue root, DecodedFrame& decoded) {
  const JsonValue trades = root["result"];
  if (!trades.is_array()) return corrupt("the trades are no list");
  TW_ASSIGN(const auto sent_ns, gate_frame_time_ns(root));
  JsonValue trade = trades.first();
  for (size_t i = 0; i < trades.size(); ++i, trade = trade.after()) {
    TW_ASSIGN(EventRow* const row, decoded.add_row(Stream::kTrade));
    TW_ASSIGN(const std::string_view symbol, required_text(trade, "contract"));
    TW_TRY(set_symbol(*row, symbol));
    TW_ASSIGN(row->sequence, required_integer(trade, "id"));
    row->trade_id.assign(trade["id"].text());
    TW_TRY(set_gate_trade_time(*row, trade));
    row->exchange_time_ns = sent_ns;
    TW_TRY(set_number(*row, "price", trade["price"].text(), row->price));
    TW_TRY(set_gate_contracts(*row, trade["size"]));
    if (trade["is_internal"].type() == JsonType::kTrue) row->flags |= kFlagInternal;
  }
  return {};
}

}  // namespace

Status decode_gate_futures(JsonValue root, DecodedFrame& decoded) {
  TW_ASSIGN(const auto channel, decode_gate_control(root, "futures", decoded));
  if (!channel) return {};
  if (*channel == "book_ticker") return add_gate_book(root, QuantityUnit::kContract, decoded);
  decoded.kind = FrameKind::kRows;
  if (*channel == "trades") return add_trades(root, decoded);
  if (*channel == "order_book" && root["event"].text() == "all") {
    return add_snapshot(root, decoded);
  }
  // The older order_book sends changes between its snapshots.
  decoded.ignore(*channel == "order_book" ? "depth_diff" : gate_ignored_kind(*channel));
  return {};
}

}  // namespace tapeworks::recorder
