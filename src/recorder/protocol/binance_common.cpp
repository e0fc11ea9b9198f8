#include <algorithm>
#include <array>
#include <utility>

#include "recorder/protocol/binance_common_internal.h"
#include "recorder/protocol/row_fields_internal.h"

namespace tapeworks::recorder {
namespace {

constexpr std::string_view kDepth = "depth";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::optional<int64_t> code_of(JsonValue value) {
  const auto number = parse_decimal(value.text());
  return number ? to_int64(*number) : std::nullopt;
}

void set_error(JsonValue id, JsonValue code, JsonValue message, DecodedFrame& decoded) {
  decoded.kind = FrameKind::kError;
  decoded.reply = {id.text(), {}, code_of(code), message.text()};
}

}  // namespace

BinanceStream split_binance_stream(std::string_view name) {
  const size_t at = name.find('@');
  // "!bookTicker" and the like: all symbols at once.
  if (at == std::string_view::npos) return {{}, name.substr(name.starts_with('!') ? 1 : 0)};
  const std::string_view rest = name.substr(at + 1);
  return {name.substr(0, at), rest.substr(0, rest.find('@'))};
}

bool decode_binance_control(JsonValue root, DecodedFrame& decoded) {
  const JsonValue payload = root["data"].is_object() ? root["data"] : root;
  if (payload["e"].text() == "serverShutdown") {
    decoded.kind = FrameKind::kShutdown;
  } else if (root["error"].is_object()) {
    set_error(root["id"], root["error"]["code"], root["error"]["msg"], decoded);
  } else if (root["code"].is_number() && root["msg"].is_string()) {
    set_error(root["id"], root["code"], root["msg"], decoded);
  } else if (root["result"].type() != JsonType::kMissing) {
    decoded.kind = FrameKind::kAck;
    decoded.reply.id = root["id"].text();
  } else if (root["method"].is_string()) {
    decoded.ignore("client_request");
  } else {
    return false;
  }
  return true;
}

bool is_binance_snapshot(std::string_view channel) {
  return channel.starts_with(kDepth) && channel != kDepth &&
         std::ranges::all_of(channel.substr(kDepth.size()), is_digit);
}

Status decode_binance_message(std::string_view channel, JsonValue payload, DecodedFrame& decoded) {
  if (channel == "trade") {
    TW_TRY(expect_binance_event(payload, "trade"));
    return add_binance_trade(payload, decoded);
  }
  if (channel == "bookTicker") {
    TW_TRY(expect_binance_event(payload, "bookTicker"));
    return add_binance_book(payload, decoded);
  }
  decoded.ignore(channel == kDepth ? "depth_diff" : binance_ignored_kind(channel));
  return {};
}

std::string_view binance_ignored_kind(std::string_view event) {
  struct Name {
    std::string_view prefix;
    std::string_view kind;
  };
  constexpr std::array<Name, 7> kNames{{{"aggTrade", "agg_trade"},
                                        {"kline", "kline"},
                                        {"markPrice", "mark_price"},
                                        {"forceOrder", "liquidation"},
                                        {"24hr", "ticker"},
                                        {"miniTicker", "ticker"},
                                        {"ticker", "ticker"}}};
  for (const auto& [prefix, kind] : kNames) {
    if (event.starts_with(prefix)) return kind;
  }
  return "other_stream";
}

Status expect_binance_event(JsonValue payload, std::string_view event) {
  if (payload["e"].has_value() && payload["e"].text() != event) {
    return corrupt("\"e\" is not \"{}\", as the name of the stream says", event);
  }
  return {};
}

Status add_binance_book(JsonValue payload, DecodedFrame& decoded) {
  TW_ASSIGN(EventRow* const row, decoded.add_row(Stream::kBook));
  TW_ASSIGN(const std::string_view symbol, required_text(payload, "s"));
  TW_TRY(set_symbol(*row, symbol));
  TW_ASSIGN(row->sequence, required_integer(payload, "u"));
  TW_ASSIGN(row->event_time_ns, optional_time_ns(payload, "T", TimeUnit::kMilliseconds));
  TW_ASSIGN(row->exchange_time_ns, optional_time_ns(payload, "E", TimeUnit::kMilliseconds));
  row->quantity_unit = QuantityUnit::kBase;
  TW_TRY(set_level(*row, BookSide::kBid, 0, payload["b"], payload["B"]));
  TW_TRY(set_level(*row, BookSide::kAsk, 0, payload["a"], payload["A"]));
  decoded.kind = FrameKind::kRows;
  return {};
}

Status add_binance_trade(JsonValue payload, DecodedFrame& decoded) {
  TW_ASSIGN(const std::string_view symbol, required_text(payload, "s"));
  TW_ASSIGN(const int64_t trade_id, required_integer(payload, "t"));
  const std::string_view cause = payload["X"].text();
  if (cause == "NA") {
    decoded.kind = FrameKind::kPlaceholder;
    decoded.placeholder.stream = Stream::kTrade;
    decoded.placeholder.symbol.assign(symbol);
    decoded.placeholder.sequence = trade_id;
    return {};
  }
  TW_ASSIGN(EventRow* const row, decoded.add_row(Stream::kTrade));
  TW_TRY(set_symbol(*row, symbol));
  row->sequence = trade_id;
  row->trade_id.assign(payload["t"].text());
  TW_ASSIGN(row->event_time_ns, optional_time_ns(payload, "T", TimeUnit::kMilliseconds));
  TW_ASSIGN(row->exchange_time_ns, optional_time_ns(payload, "E", TimeUnit::kMilliseconds));
  // The maker was the buyer, so the taker sold.
  TW_ASSIGN(const bool buyer_is_maker, required_bool(payload, "m"));
  row->side = buyer_is_maker ? Side::kSell : Side::kBuy;
  TW_TRY(set_trade(*row, payload["p"], payload["q"], QuantityUnit::kBase));
  if (cause == "INSURANCE_FUND") row->flags |= kFlagInsuranceFund;
  if (cause == "ADL") row->flags |= kFlagDeleveraging;
  decoded.kind = FrameKind::kRows;
  return {};
}

}  // namespace tapeworks::recorder
