#include "pipeline/price_columns.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include <arrow/scalar.h>
#include <arrow/type.h>
#include <arrow/util/decimal.h>
#include <fmt/format.h>

namespace tapeworks {
namespace {

constexpr int64_t kSecondsPerDay = 86400;

bool is_plain_text(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY:
    case arrow::Type::STRING_VIEW:
    case arrow::Type::BINARY_VIEW:
      return true;
    default:
      return false;
  }
}

bool is_text(const arrow::DataType& type) {
  if (type.id() != arrow::Type::DICTIONARY) return is_plain_text(type);
  return is_plain_text(*static_cast<const arrow::DictionaryType&>(type).value_type());
}

int64_t units_per_second(arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::SECOND:
      return 1;
    case arrow::TimeUnit::MILLI:
      return 1'000;
    case arrow::TimeUnit::MICRO:
      return 1'000'000;
    case arrow::TimeUnit::NANO:
      break;
  }
  return 1'000'000'000;
}

struct DayAndRest {
  int64_t day = 0;
  int64_t rest = 0;  // of the day, never negative
};

DayAndRest split_days(int64_t value, int64_t units_per_day) {
  DayAndRest result{value / units_per_day, value % units_per_day};
  if (result.rest < 0) {
    --result.day;
    result.rest += units_per_day;
  }
  return result;
}

std::optional<Day> checked_day(int64_t day) {
  if (day < kFirstDayOfYear0.days_since_epoch || day > kLastDayOfYear9999.days_since_epoch) {
    return std::nullopt;
  }
  return Day{static_cast<int32_t>(day)};
}

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// "", or the midnight that databases write after a date.
bool is_midnight_suffix(std::string_view text) {
  if (text.empty()) return true;
  if (text[0] != ' ' && text[0] != 'T') return false;
  text.remove_prefix(1);
  if (!text.starts_with("00:00:00")) return false;
  text.remove_prefix(8);
  return text.empty() || (text[0] == '.' && text.size() > 1 &&
                          text.find_first_not_of('0', 1) == std::string_view::npos);
}

std::optional<Day> day_of_text(std::string_view text) {
  text = trimmed(text);
  const auto day = parse_day(text.substr(0, 10));
  if (!day || !is_midnight_suffix(text.substr(10))) return std::nullopt;
  return day;
}

using Days = std::expected<std::vector<Day>, BadValue>;

Days days_of_text(const arrow::Array& column) {
  std::vector<Day> days(column.length(), kNullDay);
  std::optional<BadValue> bad;
  visit_text(column, [&](int64_t i, std::optional<std::string_view> text) {
    if (bad || !text) return;
    if (const auto day = day_of_text(*text)) {
      days[i] = *day;
    } else {
      bad = BadValue{i, fmt::format("'{}' is no date; write it as YYYY-MM-DD", *text)};
    }
  });
  if (bad) return std::unexpected(*std::move(bad));
  return days;
}

/// Whole days, given as counts of `units_per_day` since the epoch, plus `offset`.
template <typename ArrayType>
Days days_of_numbers(const arrow::Array& column, int64_t units_per_day, int64_t offset,
                     bool midnight_only) {
  const auto& values = static_cast<const ArrayType&>(column);
  std::vector<Day> days(values.length(), kNullDay);
  for (int64_t i = 0; i < values.length(); ++i) {
    if (values.IsNull(i)) continue;
    DayAndRest split = split_days(values.Value(i), units_per_day);
    if (midnight_only && split.rest != 0) {
      return std::unexpected(BadValue{
          i, fmt::format("'{}' is a time without a zone and not midnight, so its day is a guess; "
                         "give the column a zone or a date type",
                         value_text(column, i))});
    }
    if (offset != 0 && split.rest + offset >= units_per_day) ++split.day;
    const auto day = checked_day(split.day);
    if (!day) {
      return std::unexpected(BadValue{i, "the date is outside the years 0000 to 9999"});
    }
    days[i] = *day;
  }
  return days;
}

template <typename Number>
CloseValue number_value(Number number, AmountWidth width) {
  const double value = width == AmountWidth::kFloat32
                           ? static_cast<double>(static_cast<float>(number))
                           : static_cast<double>(number);
  // A close that the width cannot hold is no close of zero.
  if (value == 0 && number != Number{0}) return {0, CloseKind::kBad};
  return {value, CloseKind::kNumber};
}

template <typename ArrayType>
std::vector<CloseValue> closes_of_numbers(const arrow::Array& column, AmountWidth width) {
  const auto& values = static_cast<const ArrayType&>(column);
  std::vector<CloseValue> closes(values.length());
  for (int64_t i = 0; i < values.length(); ++i) {
    if (values.IsValid(i)) closes[i] = number_value(values.Value(i), width);
  }
  return closes;
}

bool is_word_for_missing(std::string_view text) {
  return text.empty() || text == "NULL" || text == "null" || text == "NA" || text == "-";
}

/// Removes commas that stand where thousands are parted ("1,234,567.5"); nothing for commas that
/// stand elsewhere, because a decimal comma taken for one would multiply the price.
std::optional<std::string> without_thousands_commas(std::string_view text) {
  const std::string_view integer = text.substr(0, text.find_first_of(".eE"));
  if (text.substr(integer.size()).find(',') != std::string_view::npos) return std::nullopt;
  std::string result;
  size_t group_digits = 0;
  bool first_group = true;
  for (const char c : integer) {
    if (c != ',') {
      result.push_back(c);
      if (c != '-') ++group_digits;
      continue;
    }
    if (group_digits == 0 || group_digits > 3 || (!first_group && group_digits != 3)) {
      return std::nullopt;
    }
    first_group = false;
    group_digits = 0;
  }
  if (group_digits != 3) return std::nullopt;
  return result.append(text.substr(integer.size()));
}

template <typename Float>
CloseValue rounded_text(std::string_view text) {
  Float value = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc{} || parsed.ptr != end) return {0, CloseKind::kBad};
  return {static_cast<double>(value), CloseKind::kNumber};
}

CloseValue close_of_text(std::string_view text, AmountWidth width) {
  text = trimmed(text);
  if (is_word_for_missing(text)) return {};
  std::optional<std::string> plain;
  if (text.find(',') != std::string_view::npos) {
    plain = without_thousands_commas(text);
    if (!plain) return {0, CloseKind::kBad};
    text = *plain;
  }
  return width == AmountWidth::kFloat32 ? rounded_text<float>(text) : rounded_text<double>(text);
}

template <typename ArrayType>
std::vector<CloseValue> closes_of_decimals(const arrow::Array& column, AmountWidth width) {
  const auto& values = static_cast<const ArrayType&>(column);
  std::vector<CloseValue> closes(values.length());
  for (int64_t i = 0; i < values.length(); ++i) {
    if (values.IsValid(i)) closes[i] = close_of_text(values.FormatValue(i), width);
  }
  return closes;
}

std::vector<CloseValue> closes_of_texts(const arrow::Array& column, AmountWidth width) {
  std::vector<CloseValue> closes(column.length());
  visit_text(column, [&](int64_t i, std::optional<std::string_view> text) {
    if (text) closes[i] = close_of_text(*text, width);
  });
  return closes;
}

}  // namespace

Status check_symbol_type(const arrow::DataType& type) {
  if (is_text(type)) return {};
  if (arrow::is_integer(type.id())) {
    return corrupt(
        "symbols are of type {}, so leading zeros are lost (0050 became 50); "
        "write the column as text",
        type.ToString());
  }
  return corrupt("symbols are of type {}; text is needed", type.ToString());
}

Status check_date_type(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::DATE32:
    case arrow::Type::DATE64:
    case arrow::Type::TIMESTAMP:
      return {};
    default:
      if (is_text(type)) return {};
      return corrupt("dates are of type {}; a date, a timestamp or text is needed",
                     type.ToString());
  }
}

Status check_close_type(const arrow::DataType& type) {
  const bool number = arrow::is_integer(type.id()) || arrow::is_decimal(type.id()) ||
                      type.id() == arrow::Type::FLOAT || type.id() == arrow::Type::DOUBLE;
  if (number || is_text(type)) return {};
  return corrupt("closes are of type {}; a number or text is needed", type.ToString());
}

std::expected<std::vector<Day>, BadValue> days_of(const arrow::Array& column,
                                                  std::chrono::hours utc_offset) {
  switch (column.type_id()) {
    case arrow::Type::DATE32:
      return days_of_numbers<arrow::Date32Array>(column, 1, 0, false);
    case arrow::Type::DATE64:
      return days_of_numbers<arrow::Date64Array>(column, kSecondsPerDay * 1000, 0, false);
    case arrow::Type::TIMESTAMP: {
      const auto& type = static_cast<const arrow::TimestampType&>(*column.type());
      const int64_t per_second = units_per_second(type.unit());
      const bool naive = type.timezone().empty();
      const int64_t offset = naive ? 0 : std::chrono::seconds(utc_offset).count() * per_second;
      return days_of_numbers<arrow::TimestampArray>(column, kSecondsPerDay * per_second, offset,
                                                    naive);
    }
    default:
      return days_of_text(column);
  }
}

std::vector<CloseValue> closes_of(const arrow::Array& column, AmountWidth width) {
  switch (column.type_id()) {
    case arrow::Type::FLOAT:
      return closes_of_numbers<arrow::FloatArray>(column, width);
    case arrow::Type::DOUBLE:
      return closes_of_numbers<arrow::DoubleArray>(column, width);
    case arrow::Type::INT8:
      return closes_of_numbers<arrow::Int8Array>(column, width);
    case arrow::Type::INT16:
      return closes_of_numbers<arrow::Int16Array>(column, width);
    case arrow::Type::INT32:
      return closes_of_numbers<arrow::Int32Array>(column, width);
    case arrow::Type::INT64:
      return closes_of_numbers<arrow::Int64Array>(column, width);
    case arrow::Type::UINT8:
      return closes_of_numbers<arrow::UInt8Array>(column, width);
    case arrow::Type::UINT16:
      return closes_of_numbers<arrow::UInt16Array>(column, width);
    case arrow::Type::UINT32:
      return closes_of_numbers<arrow::UInt32Array>(column, width);
    case arrow::Type::UINT64:
      return closes_of_numbers<arrow::UInt64Array>(column, width);
    case arrow::Type::DECIMAL32:
      return closes_of_decimals<arrow::Decimal32Array>(column, width);
    case arrow::Type::DECIMAL64:
      return closes_of_decimals<arrow::Decimal64Array>(column, width);
    case arrow::Type::DECIMAL128:
      return closes_of_decimals<arrow::Decimal128Array>(column, width);
    case arrow::Type::DECIMAL256:
      return closes_of_decimals<arrow::Decimal256Array>(column, width);
    default:
      return closes_of_texts(column, width);
  }
}

std::string value_text(const arrow::Array& column, int64_t index) {
  if (column.IsNull(index)) return "null";
  const auto scalar = column.GetScalar(index);
  if (!scalar.ok()) return "?";
  if (column.type_id() == arrow::Type::DICTIONARY) {
    const auto value = static_cast<const arrow::DictionaryScalar&>(**scalar).GetEncodedValue();
    return value.ok() ? (*value)->ToString() : "?";
  }
  return (*scalar)->ToString();
}

}  // namespace tapeworks
