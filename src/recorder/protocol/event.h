#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tapeworks::recorder {

/// What a row is about.
enum class Stream : uint8_t {
  kBook,   ///< the best bid and ask
  kL5,     ///< a snapshot of up to five levels a side
  kTrade,  ///< one trade
};
inline constexpr std::array kStreams{Stream::kBook, Stream::kL5, Stream::kTrade};

constexpr std::string_view name_of(Stream stream) {
  switch (stream) {
    case Stream::kBook:
      return "book";
    case Stream::kL5:
      return "l5";
    case Stream::kTrade:
      return "trade";
  }
  return {};
}

/// Of the taker.
enum class Side : uint8_t { kBuy, kSell };

constexpr std::string_view name_of(Side side) { return side == Side::kBuy ? "buy" : "sell"; }

/// Quantities are as sent, never converted.
enum class QuantityUnit : uint8_t {
  kBase,      ///< of the base currency
  kContract,  ///< contracts; the multiplier stands in the instruments table
};

constexpr std::string_view name_of(QuantityUnit unit) {
  return unit == QuantityUnit::kBase ? "base" : "contract";
}

/// Bits of EventRow::flags. Files hold them: a bit keeps its meaning for ever.
enum RowFlag : uint32_t {
  kFlagTimeSkew = 1,       ///< event_time or exchange_time is far from the time of receipt
  kFlagInsuranceFund = 2,  ///< the insurance fund took part in the trade
  kFlagDeleveraging = 4,   ///< the trade is an automatic deleveraging
  kFlagInternal = 8,       ///< the exchange marks the trade as internal
  kFlagCoarseTime = 16,    ///< event_time was sent in whole seconds
};

/// One level of a book; a side that is empty has neither number.
struct Level {
  std::optional<double> price;
  std::optional<double> quantity;
};

inline constexpr size_t kLevelsMax = 5;

/// One row as decoded from a frame. Null is an empty optional or an empty text; a number that was
/// not sent is never 0. docs/formats/events.md says which venue fills what.
///
/// Rows are used again for frame after frame, so their texts keep their memory.
struct EventRow {
  Stream stream = Stream::kBook;
  std::string symbol;                       ///< as the exchange's REST interface spells it
  std::optional<int64_t> event_time_ns;     ///< since 1970 UTC: the matching engine's time
  std::optional<int64_t> exchange_time_ns;  ///< when the exchange sent it
  std::optional<int64_t> sequence;
  std::string trade_id;
  std::optional<Side> side;
  std::optional<double> price;
  std::optional<double> quantity;
  std::optional<QuantityUnit> quantity_unit;
  std::array<Level, kLevelsMax> bids;  ///< best first; `book` fills the first
  std::array<Level, kLevelsMax> asks;
  uint32_t flags = 0;
  /// A JSON object {column: text as sent} of the numbers that float64 does not keep.
  std::string raw;

  void clear() {
    symbol.clear();
    trade_id.clear();
    raw.clear();
    event_time_ns = exchange_time_ns = sequence = std::nullopt;
    side = std::nullopt;
    price = quantity = std::nullopt;
    quantity_unit = std::nullopt;
    bids = {};
    asks = {};
    flags = 0;
  }
};

}  // namespace tapeworks::recorder
