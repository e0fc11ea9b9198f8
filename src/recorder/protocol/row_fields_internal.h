#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "recorder/protocol/decimal.h"
#include "recorder/protocol/decoded_frame.h"
#include "recorder/protocol/json_document.h"

namespace tapeworks::recorder {

// Reading members of a payload into a row, in the ways that all venues share. Every error is
// kCorrupt and names the member or column.

/// How many powers of ten lie between the unit and a nanosecond.
enum class TimeUnit : int32_t {
  kSeconds = 9,
  kMilliseconds = 6,
  kMicroseconds = 3,
  kNanoseconds = 0,
};

inline constexpr size_t kSymbolBytesMax = 1024;

/// A member that must be text, and not empty.
Result<std::string_view> required_text(JsonValue object, std::string_view key);
/// A member that must be a whole number, written as a number or as text.
Result<int64_t> required_integer(JsonValue object, std::string_view key);
/// The same, but it may be missing or null.
Result<std::optional<int64_t>> optional_integer(JsonValue object, std::string_view key);
/// A sequence number; missing, null and 0 (a book that was never changed) mean none.
Result<std::optional<int64_t>> optional_sequence(JsonValue object, std::string_view key);
Result<bool> required_bool(JsonValue object, std::string_view key);
/// "buy" or "sell".
Result<Side> required_side(JsonValue object, std::string_view key);

/// A time in nanoseconds; missing, null and 0 mean unknown. Outside of 2009 to 2100 it is in
/// another unit than the venue documents, and an error.
Result<std::optional<int64_t>> optional_time_ns(JsonValue object, std::string_view key,
                                                TimeUnit unit);
/// The same for a time that is a whole number of `unit` already.
Result<int64_t> time_ns(int64_t value, TimeUnit unit);

/// Between two units that a venue has used for one member, the one in which the value is a time.
Result<std::optional<int64_t>> optional_time_ns(JsonValue object, std::string_view key,
                                                TimeUnit unit, TimeUnit other_unit);

Status set_symbol(EventRow& row, std::string_view symbol);

/// Sets `slot`, a member of `row`, to a number in text, and notes it in row.raw where float64 does
/// not keep it.
Status set_number(EventRow& row, std::string_view column, std::string_view text,
                  std::optional<double>& slot);
Status set_number(EventRow& row, std::string_view column, const Decimal& number,
                  std::string_view text, std::optional<double>& slot);

/// Price and quantity of a trade, the quantity in `unit` and not negative.
Status set_trade(EventRow& row, JsonValue price, JsonValue quantity, QuantityUnit unit);

enum class BookSide : uint8_t { kBid, kAsk };

/// One level. Without a price (missing, null, ""), or with price and quantity 0, the side is empty,
/// and so is the level.
Status set_level(EventRow& row, BookSide side, size_t index, JsonValue price, JsonValue quantity);
Status set_level(EventRow& row, BookSide side, size_t index, const Decimal& price,
                 const Decimal& quantity);

/// The first levels of an array of [price, quantity, ...], or of objects {"p": .., "s": ..}.
Status set_levels(EventRow& row, BookSide side, JsonValue levels);

}  // namespace tapeworks::recorder
