#include "recorder/protocol/kucoin_common_internal.h"
#include "recorder/protocol/row_fields_internal.h"

namespace tapeworks::recorder {

KucoinTopic split_kucoin_topic(std::string_view topic) {
  const size_t colon = topic.find(':');
  if (colon == std::string_view::npos) return {topic, {}};
  return {topic.substr(0, colon), topic.substr(colon + 1)};
}

Result<bool> decode_kucoin_control(JsonValue root, DecodedFrame& decoded) {
  const std::string_view type = root["type"].text();
  // An example of the manual has a topic and no type.
  if (type == "message" || (type.empty() && root["topic"].is_string())) return false;
  decoded.reply.id = root["id"].text();
  if (type == "welcome") {
    decoded.kind = FrameKind::kWelcome;
  } else if (type == "ack") {
    decoded.kind = FrameKind::kAck;
  } else if (type == "pong") {
    decoded.kind = FrameKind::kPong;
  } else if (type == "error") {
    decoded.kind = FrameKind::kError;
    decoded.reply.message = root["data"].text();
    TW_ASSIGN(decoded.reply.code, optional_integer(root, "code"));
  } else if (type == "ping" || type == "subscribe" || type == "unsubscribe") {
    decoded.ignore("client_request");
  } else if (type == "notice" || type == "command") {
    decoded.ignore("other_stream");
  } else if (type.empty() && root["code"].is_string()) {
    decoded.ignore("rest_reply");
  } else {
    return corrupt("the frame has no shape that is known");
  }
  return true;
}

std::string_view kucoin_symbol(JsonValue root, const KucoinTopic& topic) {
  if (const std::string_view symbol = root["data"]["symbol"].text(); !symbol.empty()) return symbol;
  return topic.symbol == "all" ? root["subject"].text() : topic.symbol;
}

Status add_kucoin_trade(std::string_view symbol, JsonValue data, std::string_view time_name,
                        QuantityUnit unit, DecodedFrame& decoded) {
  TW_ASSIGN(EventRow* const row, decoded.add_row(Stream::kTrade));
  TW_TRY(set_symbol(*row, symbol));
  TW_ASSIGN(row->sequence, required_integer(data, "sequence"));
  TW_ASSIGN(const std::string_view trade_id, required_text(data, "tradeId"));
  row->trade_id.assign(trade_id);
  TW_ASSIGN(row->event_time_ns, optional_time_ns(data, time_name, TimeUnit::kNanoseconds));
  TW_ASSIGN(row->side, required_side(data, "side"));
  return set_trade(*row, data["price"], data["size"], unit);
}

}  // namespace tapeworks::recorder
