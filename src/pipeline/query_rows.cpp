#include "pipeline/query_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

#include <arrow/array.h>
#include <arrow/array/builder_base.h>
#include <arrow/array/concatenate.h>
#include <arrow/builder.h>
#include <arrow/table.h>
#include <arrow/type.h>

#include "pipeline/ranking.h"
#include "storage/arrow_status_internal.h"

namespace tapeworks {
namespace {

constexpr std::string_view kWhere = "building the answer";

using ArrayResult = arrow::Result<std::shared_ptr<arrow::Array>>;

bool is_text(const arrow::DataType& type) {
  if (type.id() == arrow::Type::DICTIONARY) {
    return is_text(*static_cast<const arrow::DictionaryType&>(type).value_type());
  }
  return type.id() == arrow::Type::STRING || type.id() == arrow::Type::LARGE_STRING ||
         type.id() == arrow::Type::STRING_VIEW;
}

std::string_view any_text_at(const arrow::Array& array, int64_t row) {
  switch (array.type_id()) {
    case arrow::Type::LARGE_STRING:
      return static_cast<const arrow::LargeStringArray&>(array).GetView(row);
    case arrow::Type::STRING_VIEW:
      return static_cast<const arrow::StringViewArray&>(array).GetView(row);
    case arrow::Type::DICTIONARY: {
      const auto& coded = static_cast<const arrow::DictionaryArray&>(array);
      return any_text_at(*coded.dictionary(), coded.GetValueIndex(row));
    }
    default:
      return static_cast<const arrow::StringArray&>(array).GetView(row);
  }
}

ArrayResult plain_text(const arrow::ChunkedArray& column, arrow::MemoryPool* pool) {
  arrow::StringBuilder builder(pool);
  ARROW_RETURN_NOT_OK(builder.Reserve(column.length()));
  for (const auto& chunk : column.chunks()) {
    for (int64_t row = 0; row < chunk->length(); ++row) {
      ARROW_RETURN_NOT_OK(chunk->IsNull(row) ? builder.AppendNull()
                                             : builder.Append(any_text_at(*chunk, row)));
    }
  }
  return builder.Finish();
}

ArrayResult one_array(const arrow::ChunkedArray& column, arrow::MemoryPool* pool) {
  if (is_text(*column.type()) && column.type()->id() != arrow::Type::STRING) {
    return plain_text(column, pool);
  }
  if (column.num_chunks() == 1) return column.chunk(0);
  if (column.num_chunks() == 0) return arrow::MakeEmptyArray(column.type(), pool);
  return arrow::Concatenate(column.chunks(), pool);
}

ArrayResult take_from(const arrow::Array& array, std::span<const int64_t> rows,
                      arrow::MemoryPool* pool) {
  ARROW_ASSIGN_OR_RAISE(const auto builder, arrow::MakeBuilder(array.type(), pool));
  ARROW_RETURN_NOT_OK(builder->Reserve(static_cast<int64_t>(rows.size())));
  const arrow::ArraySpan span(*array.data());
  for (const int64_t row : rows) ARROW_RETURN_NOT_OK(builder->AppendArraySlice(span, row, 1));
  return builder->Finish();
}

template <typename ArrayType>
Result<std::shared_ptr<ArrayType>> typed_column(const arrow::Table& table,
                                                const std::string& column) {
  const auto found = table.GetColumnByName(column);
  if (found == nullptr) return corrupt("there is no column '{}'; run tapeworks pnl again", column);
  if (found->type()->id() != ArrayType::TypeClass::type_id || found->num_chunks() != 1) {
    return corrupt("column '{}' is of type {}; run tapeworks pnl again", column,
                   found->type()->ToString());
  }
  return std::static_pointer_cast<ArrayType>(found->chunk(0));
}

/// The number at a row for ordering; NaN for what is none.
double number_at(const arrow::Array& array, int64_t row) {
  double value = std::numeric_limits<double>::quiet_NaN();
  if (!array.IsNull(row)) {
    switch (array.type_id()) {
      case arrow::Type::UINT32:
        value = static_cast<const arrow::UInt32Array&>(array).Value(row);
        break;
      case arrow::Type::DATE32:
        value = static_cast<const arrow::Date32Array&>(array).Value(row);
        break;
      case arrow::Type::INT64:
        value = static_cast<double>(static_cast<const arrow::Int64Array&>(array).Value(row));
        break;
      case arrow::Type::DOUBLE:
        value = static_cast<const arrow::DoubleArray&>(array).Value(row);
        break;
      default:
        break;
    }
  }
  return value;
}

}  // namespace

std::optional<std::string_view> text_at(const arrow::StringArray& array, int64_t row) {
  return array.IsNull(row) ? std::nullopt : std::optional(array.GetView(row));
}

Result<std::shared_ptr<arrow::Table>> plain_table(const arrow::Table& table,
                                                  const std::string& where,
                                                  arrow::MemoryPool* pool) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (int i = 0; i < table.num_columns(); ++i) {
    TW_ASSIGN(auto array, from_arrow(one_array(*table.column(i), pool), where));
    fields.push_back(arrow::field(table.field(i)->name(), array->type()));
    arrays.push_back(std::move(array));
  }
  return arrow::Table::Make(arrow::schema(std::move(fields)), std::move(arrays), table.num_rows());
}

Result<std::shared_ptr<arrow::StringArray>> text_column(const arrow::Table& table,
                                                        const std::string& column) {
  return typed_column<arrow::StringArray>(table, column);
}

Result<std::shared_ptr<arrow::DoubleArray>> double_column(const arrow::Table& table,
                                                          const std::string& column) {
  return typed_column<arrow::DoubleArray>(table, column);
}

Result<std::vector<BrokerActivity>> broker_activity(const arrow::Table& ranking) {
  TW_ASSIGN(const auto last_trade, typed_column<arrow::Date32Array>(ranking, kLastTradeDateColumn));
  TW_ASSIGN(const auto open, typed_column<arrow::Int64Array>(ranking, kOpenPositionsColumn));
  std::vector<BrokerActivity> brokers;
  for (int64_t row = 0; row < ranking.num_rows(); ++row) {
    const Day day = last_trade->IsNull(row) ? kNullDay : Day{last_trade->Value(row)};
    brokers.push_back({day, static_cast<uint64_t>(open->Value(row))});
  }
  return brokers;
}

Result<std::shared_ptr<arrow::Table>> take_rows(const arrow::Table& table,
                                                std::span<const int64_t> rows,
                                                arrow::MemoryPool* pool) {
  arrow::ArrayVector arrays;
  for (const auto& column : table.columns()) {
    TW_ASSIGN(arrays.emplace_back(), from_arrow(take_from(*column->chunk(0), rows, pool), kWhere));
  }
  return arrow::Table::Make(table.schema(), std::move(arrays), static_cast<int64_t>(rows.size()));
}

Result<std::vector<int64_t>> order_by_column(const arrow::Table& table, const std::string& column) {
  const auto found = table.GetColumnByName(column);
  if (found == nullptr) return corrupt("there is no column '{}'", column);
  std::vector<int64_t> rows(static_cast<size_t>(table.num_rows()));
  std::iota(rows.begin(), rows.end(), int64_t{0});
  const arrow::Array& array = *found->chunk(0);
  // Equal rows stay in the order of the file because their numbers decide.
  if (array.type_id() == arrow::Type::STRING) {
    const auto& texts = static_cast<const arrow::StringArray&>(array);
    const auto key = [&](int64_t row) {
      return std::tuple(texts.IsNull(row), texts.IsNull(row) ? "" : texts.GetView(row), row);
    };
    std::ranges::sort(rows, {}, key);
  } else {
    const auto key = [&](int64_t row) {
      const double number = number_at(array, row);
      return std::tuple(std::isnan(number), std::isnan(number) ? 0 : -number, row);
    };
    std::ranges::sort(rows, {}, key);
  }
  return rows;
}

}  // namespace tapeworks
