#include <array>
#include <string>

#include "base/printable_text.h"
#include "recorder/protocol/row_fields_internal.h"

namespace tapeworks::recorder {
namespace {

constexpr size_t kQuotedBytesMax = 60;
constexpr int64_t kSecondNs = 1'000'000'000;
/// The first coin was mined in 2009; and 2100 is far, but not a factor of 1000 away.
constexpr int64_t kTimeMinNs = 1'230'768'000 * kSecondNs;
constexpr int64_t kTimeMaxNs = 4'102'444'800 * kSecondNs;

struct LevelColumns {
  std::string_view price;
  std::string_view quantity;
};
constexpr std::array<std::array<LevelColumns, kLevelsMax>, 2> kLevelColumns{{
    {{{"bid_price_1", "bid_quantity_1"},
      {"bid_price_2", "bid_quantity_2"},
      {"bid_price_3", "bid_quantity_3"},
      {"bid_price_4", "bid_quantity_4"},
      {"bid_price_5", "bid_quantity_5"}}},
    {{{"ask_price_1", "ask_quantity_1"},
      {"ask_price_2", "ask_quantity_2"},
      {"ask_price_3", "ask_quantity_3"},
      {"ask_price_4", "ask_quantity_4"},
      {"ask_price_5", "ask_quantity_5"}}},
}};

const LevelColumns& columns_of(BookSide side, size_t index) {
  return kLevelColumns[side == BookSide::kBid ? 0 : 1][index];
}

Level& level_of(EventRow& row, BookSide side, size_t index) {
  return (side == BookSide::kBid ? row.bids : row.asks)[index];
}

Result<Decimal> decimal_of(JsonValue value, std::string_view key) {
  if (!value.is_number() && !value.is_string()) {
    return corrupt("\"{}\" is missing or is no number", key);
  }
  auto number = parse_decimal(value.text());
  if (!number) return corrupt("\"{}\": {}", key, number.error().message);
  return number;
}

Status not_negative(const std::optional<double>& quantity, std::string_view column) {
  if (quantity && *quantity < 0) return corrupt("{} is {}, below zero", column, *quantity);
  return {};
}

Status finish_level(Level& level, const LevelColumns& columns) {
  // Nothing at no price is how a venue without nulls says that a side is empty.
  if (level.price == 0.0 && level.quantity == 0.0) level = {};
  return not_negative(level.quantity, columns.quantity);
}

/// Adds to the JSON object in row.raw. The text of a number needs no escapes.
void note_as_sent(EventRow& row, std::string_view column, std::string_view text) {
  if (row.raw.empty()) {
    row.raw = "{";
  } else {
    row.raw.back() = ',';
  }
  row.raw.append("\"").append(column).append("\":\"").append(text).append("\"}");
}

}  // namespace

Result<std::string_view> required_text(JsonValue object, std::string_view key) {
  const JsonValue value = object[key];
  if (!value.is_string() || value.text().empty()) {
    return corrupt("\"{}\" is missing or is no text", key);
  }
  return value.text();
}

Result<int64_t> required_integer(JsonValue object, std::string_view key) {
  TW_ASSIGN(const Decimal number, decimal_of(object[key], key));
  const auto integer = to_int64(number);
  if (!integer) {
    return corrupt("\"{}\" is {}, no whole number of 64 bits", key,
                   printable_text(object[key].text(), kQuotedBytesMax));
  }
  return *integer;
}

Result<std::optional<int64_t>> optional_integer(JsonValue object, std::string_view key) {
  if (!object[key].has_value()) return std::optional<int64_t>();
  return required_integer(object, key);
}

Result<std::optional<int64_t>> optional_sequence(JsonValue object, std::string_view key) {
  TW_ASSIGN(std::optional<int64_t> sequence, optional_integer(object, key));
  if (sequence == 0) sequence.reset();
  return sequence;
}

Result<bool> required_bool(JsonValue object, std::string_view key) {
  const JsonType type = object[key].type();
  if (type == JsonType::kTrue) return true;
  if (type == JsonType::kFalse) return false;
  return corrupt("\"{}\" is missing or neither true nor false", key);
}

Result<Side> required_side(JsonValue object, std::string_view key) {
  const std::string_view text = object[key].text();
  if (text == "buy") return Side::kBuy;
  if (text == "sell") return Side::kSell;
  return corrupt("\"{}\" is missing or neither buy nor sell", key);
}

Result<std::optional<int64_t>> optional_time_ns(JsonValue object, std::string_view key,
                                                TimeUnit unit) {
  const JsonValue value = object[key];
  if (!value.has_value()) return std::optional<int64_t>();
  TW_ASSIGN(const Decimal number, decimal_of(value, key));
  if (number.is_zero()) return std::optional<int64_t>();
  const auto instant_ns = to_int64(number, static_cast<int32_t>(unit));
  if (!instant_ns || *instant_ns < kTimeMinNs || *instant_ns > kTimeMaxNs) {
    return corrupt(
        "\"{}\" is {}, which is no time between 2009 and 2100 in its documented unit; the exchange "
        "may have changed the unit",
        key, printable_text(value.text(), kQuotedBytesMax));
  }
  return instant_ns;
}

Result<int64_t> time_ns(int64_t value, TimeUnit unit) {
  const auto instant_ns = to_int64(make_decimal(value, 0), static_cast<int32_t>(unit));
  if (!instant_ns || *instant_ns < kTimeMinNs || *instant_ns > kTimeMaxNs) {
    return corrupt("the time {} lies outside of 2009 to 2100 in its documented unit", value);
  }
  return *instant_ns;
}

Result<std::optional<int64_t>> optional_time_ns(JsonValue object, std::string_view key,
                                                TimeUnit unit, TimeUnit other_unit) {
  if (auto instant_ns = optional_time_ns(object, key, unit)) return instant_ns;
  return optional_time_ns(object, key, other_unit);
}

Status set_symbol(EventRow& row, std::string_view symbol) {
  if (symbol.empty()) return corrupt("the symbol is empty");
  if (symbol.size() > kSymbolBytesMax) {
    return corrupt("the symbol has {} bytes, {} are the most", symbol.size(), kSymbolBytesMax);
  }
  row.symbol.assign(symbol);
  return {};
}

Status set_number(EventRow& row, std::string_view column, const Decimal& number,
                  std::string_view text, std::optional<double>& slot) {
  auto rounded = to_double(number);
  if (!rounded) return corrupt("{}: {}", column, rounded.error().message);
  slot = *rounded;
  if (!is_exact(number, *rounded)) note_as_sent(row, column, text);
  return {};
}

Status set_number(EventRow& row, std::string_view column, std::string_view text,
                  std::optional<double>& slot) {
  const auto number = parse_decimal(text);
  if (!number) return corrupt("{}: {}", column, number.error().message);
  return set_number(row, column, *number, text, slot);
}

Status set_trade(EventRow& row, JsonValue price, JsonValue quantity, QuantityUnit unit) {
  TW_TRY(set_number(row, "price", price.text(), row.price));
  TW_TRY(set_number(row, "quantity", quantity.text(), row.quantity));
  row.quantity_unit = unit;
  return not_negative(row.quantity, "quantity");
}

Status set_level(EventRow& row, BookSide side, size_t index, JsonValue price, JsonValue quantity) {
  if (!price.has_value() || (price.is_string() && price.text().empty())) return {};
  Level& level = level_of(row, side, index);
  const LevelColumns& columns = columns_of(side, index);
  TW_TRY(set_number(row, columns.price, price.text(), level.price));
  TW_TRY(set_number(row, columns.quantity, quantity.text(), level.quantity));
  return finish_level(level, columns);
}

Status set_level(EventRow& row, BookSide side, size_t index, const Decimal& price,
                 const Decimal& quantity) {
  Level& level = level_of(row, side, index);
  const LevelColumns& columns = columns_of(side, index);
  TW_TRY(set_number(row, columns.price, price, to_string(price), level.price));
  TW_TRY(set_number(row, columns.quantity, quantity, to_string(quantity), level.quantity));
  return finish_level(level, columns);
}

Status set_levels(EventRow& row, BookSide side, JsonValue levels) {
  if (!levels.is_array()) {
    return corrupt("the {} are missing or no list", side == BookSide::kBid ? "bids" : "asks");
  }
  JsonValue level = levels.first();
  for (size_t i = 0; i < std::min(levels.size(), kLevelsMax); ++i, level = level.after()) {
    JsonValue price = level["p"];
    JsonValue quantity = level["s"];
    if (level.is_array() && level.size() >= 2) {
      price = level.first();
      quantity = price.after();
    }
    if (price.text().empty()) return corrupt("a level is no pair of price and quantity");
    TW_TRY(set_level(row, side, i, price, quantity));
  }
  return {};
}

}  // namespace tapeworks::recorder
