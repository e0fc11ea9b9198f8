#include "recorder/protocol/instrument_list.h"

#include <charconv>

#include "recorder/protocol/decimal.h"
#include "recorder/protocol/json_list.h"

namespace tapeworks::recorder {
namespace {

constexpr int kPrecisionMax = 30;

std::optional<double> number_of(JsonValue value) { return read_double(value.text()); }

/// A number of decimals as the step that it means: 2 is 0.01.
std::optional<double> step_of_precision(JsonValue value) {
  const std::string_view text = value.text();
  int precision = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), precision);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (precision < 0 || precision > kPrecisionMax) return std::nullopt;
  const auto step = to_double(make_decimal(1, -precision));
  return step ? std::optional(*step) : std::nullopt;
}

void set_flag(InstrumentFacts& facts, bool is_trading) {
  facts.is_trading = is_trading;
  facts.status = is_trading ? "trading" : "not_trading";
}

void set_status(InstrumentFacts& facts, JsonValue status, std::string_view when_trading) {
  facts.status = status.text();
  facts.is_trading = facts.status == when_trading;
}

void decode_binance(JsonValue entry, InstrumentFacts& facts) {
  facts.symbol = entry["symbol"].text();
  set_status(facts, entry["status"], "TRADING");
  const JsonValue filters = entry["filters"];
  JsonValue filter = filters.first();
  for (size_t i = 0; i < filters.size(); ++i, filter = filter.after()) {
    const std::string_view type = filter["filterType"].text();
    if (type == "PRICE_FILTER") facts.price_tick = number_of(filter["tickSize"]);
    if (type == "LOT_SIZE") facts.quantity_step = number_of(filter["stepSize"]);
  }
}

void decode_kucoin_spot(JsonValue entry, InstrumentFacts& facts) {
  facts.symbol = entry["symbol"].text();
  set_flag(facts, entry["enableTrading"].type() == JsonType::kTrue);
  facts.price_tick = number_of(entry["priceIncrement"]);
  facts.quantity_step = number_of(entry["baseIncrement"]);
}

void decode_kucoin_futures(JsonValue entry, InstrumentFacts& facts) {
  facts.symbol = entry["symbol"].text();
  set_status(facts, entry["status"], "Open");
  facts.multiplier = number_of(entry["multiplier"]);
  facts.price_tick = number_of(entry["tickSize"]);
  facts.quantity_step = number_of(entry["lotSize"]);
}

void decode_gate_spot(JsonValue entry, InstrumentFacts& facts) {
  facts.symbol = entry["id"].text();
  facts.status = entry["trade_status"].text();
  // "buyable" and "sellable" trade one way.
  facts.is_trading = facts.status != "untradable";
  facts.price_tick = step_of_precision(entry["precision"]);
  facts.quantity_step = step_of_precision(entry["amount_precision"]);
}

void decode_gate_futures(JsonValue entry, InstrumentFacts& facts) {
  facts.symbol = entry["name"].text();
  set_flag(facts, entry["in_delisting"].type() != JsonType::kTrue);
  // Newer replies have a word for it.
  if (entry["status"].is_string()) facts.status = entry["status"].text();
  facts.multiplier = number_of(entry["quanto_multiplier"]);
  facts.price_tick = number_of(entry["order_price_round"]);
  facts.quantity_step = number_of(entry["order_size_min"]);
}

/// The way to the list in a reply.
std::vector<std::string_view> list_members(Venue venue) {
  switch (venue) {
    case Venue::kBinanceSpot:
    case Venue::kBinanceSpotSbe:
    case Venue::kBinanceUsdm:
      return {"symbols"};
    case Venue::kKucoinSpot:
    case Venue::kKucoinFutures:
      return {"data"};
    case Venue::kGateSpot:
    case Venue::kGateFutures:
      break;
  }
  return {};
}

}  // namespace

std::string_view instruments_url(Venue venue) {
  switch (venue) {
    case Venue::kBinanceSpot:
    case Venue::kBinanceSpotSbe:
      // Without the permissions, which are most of the reply.
      return "https://api.binance.com/api/v3/exchangeInfo?showPermissionSets=false";
    case Venue::kBinanceUsdm:
      return "https://fapi.binance.com/fapi/v1/exchangeInfo";
    case Venue::kKucoinSpot:
      return "https://api.kucoin.com/api/v2/symbols";
    case Venue::kKucoinFutures:
      return "https://api-futures.kucoin.com/api/v1/contracts/active";
    case Venue::kGateSpot:
      return "https://api.gateio.ws/api/v4/spot/currency_pairs";
    case Venue::kGateFutures:
      return "https://api.gateio.ws/api/v4/futures/usdt/contracts";
  }
  return {};
}

Result<InstrumentFacts> decode_instrument(Venue venue, JsonValue entry) {
  InstrumentFacts facts;
  switch (venue) {
    case Venue::kBinanceSpot:
    case Venue::kBinanceSpotSbe:
    case Venue::kBinanceUsdm:
      decode_binance(entry, facts);
      break;
    case Venue::kKucoinSpot:
      decode_kucoin_spot(entry, facts);
      break;
    case Venue::kKucoinFutures:
      decode_kucoin_futures(entry, facts);
      break;
    case Venue::kGateSpot:
      decode_gate_spot(entry, facts);
      break;
    case Venue::kGateFutures:
      decode_gate_futures(entry, facts);
      break;
  }
  if (facts.symbol.empty()) return corrupt("an entry of the list of instruments has no name");
  return facts;
}

Result<std::vector<ListedInstrument>> parse_instrument_list(Venue venue, std::string_view body) {
  std::vector<ListedInstrument> list;
  JsonDocument document;
  TW_TRY(for_each_list_entry(
      body, list_members(venue), "instruments", [&](std::string_view entry) -> Status {
        TW_TRY(document.parse(entry));
        TW_ASSIGN(InstrumentFacts facts, decode_instrument(venue, document.root()));
        list.push_back({std::move(facts), entry});
        return {};
      }));
  return list;
}

bool is_symbol_pattern(std::string_view symbol) {
  return symbol.find_first_of("*?") != std::string_view::npos;
}

bool matches_symbol_pattern(std::string_view symbol, std::string_view pattern) {
  // Behind the character of UTF-8 that begins at `at`.
  const auto after_character = [&](size_t at) {
    do ++at;
    while (at < symbol.size() && (static_cast<unsigned char>(symbol[at]) & 0xc0U) == 0x80U);
    return at;
  };
  size_t at = 0;
  size_t wanted = 0;
  constexpr size_t kNone = std::string_view::npos;
  size_t star = kNone;  // the last '*' seen
  size_t star_end = 0;  // where the text that it stands for ends
  while (at < symbol.size()) {
    if (wanted < pattern.size() && pattern[wanted] == '*') {
      star = wanted++;
      star_end = at;
    } else if (wanted < pattern.size() && pattern[wanted] == '?') {
      at = after_character(at);
      ++wanted;
    } else if (wanted < pattern.size() && pattern[wanted] == symbol[at]) {
      ++at;
      ++wanted;
    } else if (star != kNone) {
      star_end = after_character(star_end);
      at = star_end;
      wanted = star + 1;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', wanted) == kNone;
}

}  // namespace tapeworks::recorder
