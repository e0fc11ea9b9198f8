#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/array.h>

#include "base/calendar_day.h"
#include "base/result.h"
#include "pipeline/mode.h"

namespace tapeworks {

// The columns of a table of closes come in many types: text of five kinds, dates and timestamps,
// numbers of every width. Here they become ours. Pure functions; any thread.

/// A value that cannot be taken over: its index in the array, and why.
struct BadValue {
  int64_t index = 0;
  std::string reason;
};

/// kCorrupt, saying what would do, for a type that a symbol, date or close column cannot have.
Status check_symbol_type(const arrow::DataType& type);
Status check_date_type(const arrow::DataType& type);
Status check_close_type(const arrow::DataType& type);

/// The days of a column that passed check_date_type; kNullDay where null. An instant (a timestamp
/// with a zone) falls on the day it has at `utc_offset`; a naive timestamp must be midnight; text
/// must be YYYY-MM-DD, a midnight after it is allowed.
std::expected<std::vector<Day>, BadValue> days_of(const arrow::Array& column,
                                                  std::chrono::hours utc_offset);

enum class CloseKind : uint8_t {
  kNumber,   ///< any number, also negative, infinite or NaN
  kMissing,  ///< null, empty text, or a word for it (NULL, null, NA, -)
  kBad,      ///< text that is no number
};

/// A close rounded to the width asked for, as double.
struct CloseValue {
  double value = 0;
  CloseKind kind = CloseKind::kMissing;
};

/// The closes of a column that passed check_close_type, one a row. Text is rounded once, straight
/// to `width`; commas are allowed where they part thousands.
std::vector<CloseValue> closes_of(const arrow::Array& column, AmountWidth width);

/// The value at `index` as a reader of a message wants to see it.
std::string value_text(const arrow::Array& column, int64_t index);

/// Calls visit(index, text) for each row of a column of plain text, `text` empty where null. False,
/// without a call, for any other column.
template <typename Visit>
bool visit_plain_text(const arrow::Array& column, Visit&& visit) {
  const auto visit_all = [&visit](const auto& values) {
    for (int64_t i = 0; i < values.length(); ++i) {
      visit(i,
            values.IsNull(i) ? std::nullopt : std::optional<std::string_view>(values.GetView(i)));
    }
    return true;
  };
  switch (column.type_id()) {
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return visit_all(static_cast<const arrow::BinaryArray&>(column));
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY:
      return visit_all(static_cast<const arrow::LargeBinaryArray&>(column));
    case arrow::Type::STRING_VIEW:
    case arrow::Type::BINARY_VIEW:
      return visit_all(static_cast<const arrow::BinaryViewArray&>(column));
    default:
      return false;
  }
}

/// The same for a column of plain or dictionary-encoded text.
template <typename Visit>
void visit_text(const arrow::Array& column, Visit&& visit) {
  if (visit_plain_text(column, visit)) return;
  const auto& coded = static_cast<const arrow::DictionaryArray&>(column);
  std::vector<std::optional<std::string_view>> texts(coded.dictionary()->length());
  visit_plain_text(*coded.dictionary(),
                   [&texts](int64_t i, std::optional<std::string_view> text) { texts[i] = text; });
  for (int64_t i = 0; i < coded.length(); ++i) {
    visit(i, coded.IsNull(i) ? std::nullopt : texts[coded.GetValueIndex(i)]);
  }
}

}  // namespace tapeworks
