#include "recorder/protocol/trade_page.h"

#include <algorithm>
#include <utility>

#include "recorder/protocol/gate_common_internal.h"
#include "recorder/protocol/row_fields_internal.h"

namespace tapeworks::recorder {
namespace {

Status fill_binance(JsonValue trade, EventRow& row) {
  TW_ASSIGN(row.sequence, required_integer(trade, "id"));
  row.trade_id.assign(trade["id"].text());
  // Microseconds where they were asked for, as SBE streams have them.
  TW_ASSIGN(row.event_time_ns,
            optional_time_ns(trade, "time", TimeUnit::kMilliseconds, TimeUnit::kMicroseconds));
  TW_ASSIGN(const bool buyer_is_maker, required_bool(trade, "isBuyerMaker"));
  row.side = buyer_is_maker ? Side::kSell : Side::kBuy;
  return set_trade(row, trade["price"], trade["qty"], QuantityUnit::kBase);
}

/// Spot answers have no tradeId.
Status fill_kucoin(Venue venue, JsonValue trade, EventRow& row) {
  const bool is_spot = venue == Venue::kKucoinSpot;
  TW_ASSIGN(row.sequence, required_integer(trade, "sequence"));
  row.trade_id.assign(trade["tradeId"].text());
  TW_ASSIGN(row.event_time_ns,
            optional_time_ns(trade, is_spot ? "time" : "ts", TimeUnit::kNanoseconds));
  TW_ASSIGN(row.side, required_side(trade, "side"));
  return set_trade(row, trade["price"], trade["size"],
                   is_spot ? QuantityUnit::kBase : QuantityUnit::kContract);
}

Status fill_gate_spot(JsonValue trade, EventRow& row) {
  TW_ASSIGN(row.sequence, required_integer(trade, "id"));
  row.trade_id.assign(trade["id"].text());
  TW_TRY(set_gate_trade_time(row, trade));
  TW_ASSIGN(row.side, required_side(trade, "side"));
  return set_trade(row, trade["price"], trade["amount"], QuantityUnit::kBase);
}

Status fill_gate_futures(JsonValue trade, EventRow& row) {
  TW_ASSIGN(row.sequence, required_integer(trade, "id"));
  row.trade_id.assign(trade["id"].text());
  // Seconds with a fraction here, in spite of the name; milliseconds on the stream.
  TW_ASSIGN(row.event_time_ns,
            optional_time_ns(trade, "create_time_ms", TimeUnit::kSeconds, TimeUnit::kMilliseconds));
  if (!row.event_time_ns) TW_TRY(set_gate_trade_time(row, trade));
  TW_TRY(set_number(row, "price", trade["price"].text(), row.price));
  TW_TRY(set_gate_contracts(row, trade["size"]));
  if (trade["is_internal"].type() == JsonType::kTrue) row.flags |= kFlagInternal;
  return {};
}

Status fill_row(Venue venue, JsonValue trade, EventRow& row) {
  switch (venue) {
    case Venue::kBinanceSpot:
    case Venue::kBinanceSpotSbe:
    case Venue::kBinanceUsdm:
      return fill_binance(trade, row);
    case Venue::kKucoinSpot:
    case Venue::kKucoinFutures:
      return fill_kucoin(venue, trade, row);
    case Venue::kGateSpot:
      return fill_gate_spot(trade, row);
    case Venue::kGateFutures:
      return fill_gate_futures(trade, row);
  }
  return internal_error("no trades for venue {}", static_cast<int>(venue));
}

Status decode_list(Venue venue, std::string_view symbol, JsonValue root, DecodedFrame& decoded) {
  const bool is_wrapped = venue == Venue::kKucoinSpot || venue == Venue::kKucoinFutures;
  if (is_wrapped && root["code"].text() != "200000") {
    return corrupt("the answer has the code {}: {}", root["code"].text(), root["msg"].text());
  }
  const JsonValue list = is_wrapped ? root["data"] : root;
  if (!list.is_array()) return corrupt("the answer is no list of trades");
  JsonValue trade = list.first();
  for (size_t i = 0; i < list.size(); ++i, trade = trade.after()) {
    TW_ASSIGN(EventRow* const row, decoded.add_row(Stream::kTrade));
    TW_TRY(set_symbol(*row, symbol));
    TW_TRY(fill_row(venue, trade, *row));
  }
  std::ranges::stable_sort(decoded.rows(), {}, [](const EventRow& row) { return *row.sequence; });
  return {};
}

}  // namespace

Status decode_trade_page(Venue venue, std::string_view symbol, std::string_view body,
                         DecodedFrame& decoded) {
  decoded.clear();
  Status status = decoded.document().parse(body);
  if (status) status = decode_list(venue, symbol, decoded.document().root(), decoded);
  if (status) {
    decoded.kind = FrameKind::kRows;
    return {};
  }
  decoded.clear();
  const VenueName name = name_of(venue);
  Error error = std::move(status).error();
  error.message =
      fmt::format("{} {}: trades of {}: {}", name.exchange, name.market, symbol, error.message);
  return std::unexpected(std::move(error));
}

}  // namespace tapeworks::recorder
