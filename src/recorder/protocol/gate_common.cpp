#include "recorder/protocol/gate_common_internal.h"
#include "recorder/protocol/row_fields_internal.h"

namespace tapeworks::recorder {
namespace {

/// A frame without a channel: what the protocol before 2021 sends, a bare error, a REST reply.
Status decode_without_channel(JsonValue root, DecodedFrame& decoded) {
  if (root["method"].is_string()) {
    decoded.ignore("legacy_v3");
  } else if (root["error"].is_object()) {
    decoded.kind = FrameKind::kError;
    decoded.reply.message = root["error"]["message"].text();
    TW_ASSIGN(decoded.reply.code, optional_integer(root["error"], "code"));
  } else if (root["asks"].is_array() && root["bids"].is_array()) {
    decoded.ignore("rest_reply");
  } else {
    return corrupt("the frame has no shape that is known");
  }
  return {};
}

Status decode_subscription(JsonValue root, DecodedFrame& decoded) {
  decoded.reply.id = root["id"].text();
  decoded.reply.channel = root["channel"].text();
  if (root["error"].has_value() || root["result"]["status"].text() == "fail") {
    decoded.kind = FrameKind::kError;
    decoded.reply.message = root["error"]["message"].text();
    TW_ASSIGN(decoded.reply.code, optional_integer(root["error"], "code"));
  } else if (root["result"].has_value()) {
    decoded.kind = FrameKind::kAck;
  } else {
    decoded.ignore("client_request");
  }
  return {};
}

}  // namespace

Result<std::optional<std::string_view>> decode_gate_control(JsonValue root, std::string_view market,
                                                            DecodedFrame& decoded) {
  constexpr std::optional<std::string_view> kDone;
  const std::string_view whole_channel = root["channel"].text();
  const size_t dot = whole_channel.find('.');
  if (dot == std::string_view::npos) {
    TW_TRY(decode_without_channel(root, decoded));
    return kDone;
  }
  const std::string_view channel = whole_channel.substr(dot + 1);
  const std::string_view event = root["event"].text();
  if (event == "subscribe" || event == "unsubscribe") {
    TW_TRY(decode_subscription(root, decoded));
  } else if (channel == "pong") {
    decoded.kind = FrameKind::kPong;
  } else if (channel == "ping") {
    decoded.ignore("client_request");
  } else if (event != "update" && event != "all") {
    return corrupt("\"event\" is missing or unknown");
  } else if (whole_channel.substr(0, dot) != market) {
    decoded.ignore("other_market");
  } else if (channel == "system") {
    // "upgrade" is the only one known, and whatever comes next, a fresh connection is safe.
    decoded.kind = FrameKind::kShutdown;
    decoded.reply.message = root["result"]["type"].text();
  } else {
    return channel;
  }
  return kDone;
}

Result<std::optional<int64_t>> gate_frame_time_ns(JsonValue root) {
  TW_ASSIGN(const auto sent_ns, optional_time_ns(root, "time_ms", TimeUnit::kMilliseconds));
  if (sent_ns) return sent_ns;
  return optional_time_ns(root, "time", TimeUnit::kSeconds);
}

Status set_gate_trade_time(EventRow& row, JsonValue trade) {
  TW_ASSIGN(row.event_time_ns, optional_time_ns(trade, "create_time_ms", TimeUnit::kMilliseconds));
  if (row.event_time_ns) return {};
  TW_ASSIGN(row.event_time_ns, optional_time_ns(trade, "create_time", TimeUnit::kSeconds));
  if (row.event_time_ns) row.flags |= kFlagCoarseTime;
  return {};
}

Status set_gate_contracts(EventRow& row, JsonValue size) {
  TW_ASSIGN(Decimal quantity, parse_decimal(size.text()));
  if (!quantity.is_zero()) row.side = quantity.negative ? Side::kSell : Side::kBuy;
  quantity.negative = false;
  row.quantity_unit = QuantityUnit::kContract;
  return set_number(row, "quantity", quantity, size.text(), row.quantity);
}

Status add_gate_book(JsonValue root, QuantityUnit unit, DecodedFrame& decoded) {
  const JsonValue book = root["result"];
  TW_ASSIGN(EventRow* const row, decoded.add_row(Stream::kBook));
  TW_ASSIGN(const std::string_view symbol, required_text(book, "s"));
  TW_TRY(set_symbol(*row, symbol));
  TW_ASSIGN(row->sequence, optional_sequence(book, "u"));
  TW_ASSIGN(row->event_time_ns, optional_time_ns(book, "t", TimeUnit::kMilliseconds));
  TW_ASSIGN(row->exchange_time_ns, gate_frame_time_ns(root));
  row->quantity_unit = unit;
  TW_TRY(set_level(*row, BookSide::kBid, 0, book["b"], book["B"]));
  TW_TRY(set_level(*row, BookSide::kAsk, 0, book["a"], book["A"]));
  decoded.kind = FrameKind::kRows;
  return {};
}

std::string_view gate_ignored_kind(std::string_view channel) {
  if (channel == "order_book_update" || channel == "obu") return "depth_diff";
  if (channel == "candlesticks") return "kline";
  if (channel == "tickers") return "ticker";
  return "other_stream";
}

}  // namespace tapeworks::recorder
