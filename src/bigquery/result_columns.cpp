#include "bigquery/result_columns.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>

#include "base/calendar_day.h"
#include "storage/arrow_status_internal.h"

namespace tapeworks::bigquery {
namespace {

constexpr int64_t kMicrosPerSecond = 1'000'000;
constexpr int64_t kSecondsPerDay = 86'400;
constexpr size_t kDateBytes = std::string_view("2023-01-03").size();

/// Null for a type that has no plain value.
std::shared_ptr<arrow::DataType> arrow_type_of(std::string_view type) {
  if (type == "STRING" || type == "NUMERIC" || type == "BIGNUMERIC") return arrow::utf8();
  if (type == "INTEGER" || type == "INT64") return arrow::int64();
  if (type == "FLOAT" || type == "FLOAT64") return arrow::float64();
  if (type == "DATE") return arrow::date32();
  if (type == "TIMESTAMP") return arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
  if (type == "DATETIME") return arrow::timestamp(arrow::TimeUnit::MICRO);
  return nullptr;
}

template <typename Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const char* const text_end = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), text_end, value);
  if (error != std::errc{} || end != text_end) return std::nullopt;
  return value;
}

std::optional<int32_t> date_value(std::string_view text) {
  const auto day = parse_day(text);
  return day ? std::optional(day->days_since_epoch) : std::nullopt;
}

/// Microseconds since the epoch, as they were asked for; or seconds with a point or an exponent, as
/// they come from a server that knows no other form.
std::optional<int64_t> instant_value(std::string_view text) {
  if (text.find_first_of(".eE") == std::string_view::npos) return number<int64_t>(text);
  const auto seconds = number<double>(text);
  // The years 1 to 9999, as BigQuery has them.
  if (!seconds || !(std::abs(*seconds) < 3e11)) return std::nullopt;
  return std::llround(*seconds * static_cast<double>(kMicrosPerSecond));
}

/// ".25" is 250,000 microseconds.
std::optional<int64_t> fraction_micros(std::string_view text) {
  if (text.empty()) return 0;
  const std::string_view digits = text.substr(1);
  if (text[0] != '.' || digits.empty() || digits.size() > 6) return std::nullopt;
  auto micros = number<uint32_t>(digits);
  if (!micros) return std::nullopt;
  for (size_t i = digits.size(); i < 6; ++i) *micros *= 10;
  return *micros;
}

/// "2023-01-03T13:30:00.25".
std::optional<int64_t> datetime_value(std::string_view text) {
  constexpr size_t kSecondsEnd = std::string_view("2023-01-03T13:30:00").size();
  const auto day = parse_day(text.substr(0, kDateBytes));
  if (!day || text.size() < kSecondsEnd || (text[10] != 'T' && text[10] != ' ') ||
      text[13] != ':' || text[16] != ':') {
    return std::nullopt;
  }
  const auto hour = number<uint32_t>(text.substr(11, 2));
  const auto minute = number<uint32_t>(text.substr(14, 2));
  const auto second = number<uint32_t>(text.substr(17, 2));
  const auto fraction = fraction_micros(text.substr(kSecondsEnd));
  if (!hour || !minute || !second || !fraction || *hour > 23 || *minute > 59 || *second > 59) {
    return std::nullopt;
  }
  const int64_t seconds =
      day->days_since_epoch * kSecondsPerDay + *hour * 3600 + *minute * 60 + *second;
  return seconds * kMicrosPerSecond + *fraction;
}

/// One column of the rows.
struct Column {
  const RestAnswer& answer;
  size_t index = 0;
  const arrow::Field& field;
  const std::string& where;
  arrow::MemoryPool* pool = nullptr;

  template <typename Builder, typename Parse>
  Result<std::shared_ptr<arrow::Array>> build(Builder&& builder, Parse&& parse) const {
    TW_TRY(from_arrow(builder.Reserve(static_cast<int64_t>(answer.row_count())), where));
    for (size_t row = 0; row < answer.row_count(); ++row) {
      const Cell& cell = answer.row(row)[index];
      if (cell.kind == CellKind::kNull) {
        TW_TRY(from_arrow(builder.AppendNull(), where));
        continue;
      }
      const auto value =
          cell.kind == CellKind::kText ? parse(cell.view()) : decltype(parse(cell.view())){};
      if (!value) {
        return corrupt("{}: column '{}': '{}' is no {}; convert the column in the query (CAST)",
                       where, field.name(), cell.view(), field.type()->ToString());
      }
      TW_TRY(from_arrow(builder.Append(*value), where));
    }
    return from_arrow(builder.Finish(), where);
  }

  Result<std::shared_ptr<arrow::Array>> build() const {
    const auto& type = field.type();
    switch (type->id()) {
      case arrow::Type::STRING:
        return build(arrow::StringBuilder(pool),
                     [](std::string_view text) { return std::optional(text); });
      case arrow::Type::INT64:
        return build(arrow::Int64Builder(pool), number<int64_t>);
      case arrow::Type::DOUBLE:
        return build(arrow::DoubleBuilder(pool), number<double>);
      case arrow::Type::DATE32:
        return build(arrow::Date32Builder(pool), date_value);
      case arrow::Type::TIMESTAMP: {
        const bool naive = static_cast<const arrow::TimestampType&>(*type).timezone().empty();
        return build(arrow::TimestampBuilder(type, pool), naive ? datetime_value : instant_value);
      }
      default:
        return std::make_shared<arrow::NullArray>(static_cast<int64_t>(answer.row_count()));
    }
  }
};

}  // namespace

Result<std::shared_ptr<arrow::Schema>> columns_of(const RestAnswer& answer) {
  arrow::FieldVector fields;
  while (true) {
    const std::string path = fmt::format("schema/fields/{}/", fields.size());
    const std::string_view type = answer.fact(path + "type");
    if (type.empty()) break;
    const bool repeated = answer.fact(path + "mode") == "REPEATED";
    const auto plain = repeated ? nullptr : arrow_type_of(type);
    std::string name(answer.fact(path + "name"));
    if (plain != nullptr) {
      fields.push_back(arrow::field(std::move(name), plain));
      continue;
    }
    fields.push_back(arrow::field(
        std::move(name), arrow::null(), true,
        arrow::key_value_metadata({kUnreadableTypeKey}, {repeated ? fmt::format("ARRAY<{}>", type)
                                                                  : std::string(type)})));
  }
  if (fields.empty()) return io_error("the answer names no columns");
  return arrow::schema(std::move(fields));
}

Result<std::shared_ptr<arrow::RecordBatch>> rows_of(const RestAnswer& answer,
                                                    const std::shared_ptr<arrow::Schema>& columns,
                                                    const std::string& where,
                                                    arrow::MemoryPool* pool) {
  const auto column_count = static_cast<size_t>(columns->num_fields());
  if (answer.row_count() > 0 && answer.column_count() != column_count) {
    return io_error("{}: the rows have {} values and there are {} columns", where,
                    answer.column_count(), column_count);
  }
  arrow::ArrayVector arrays;
  for (size_t i = 0; i < column_count; ++i) {
    const Column column{answer, i, *columns->field(static_cast<int>(i)), where, pool};
    TW_ASSIGN(auto array, column.build());
    arrays.push_back(std::move(array));
  }
  return arrow::RecordBatch::Make(columns, static_cast<int64_t>(answer.row_count()),
                                  std::move(arrays));
}

}  // namespace tapeworks::bigquery
