#include "cli/table_cells.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <arrow/array.h>
#include <arrow/table.h>

namespace tapeworks {
namespace {

std::string_view text_at(const arrow::Array& array, int64_t row) {
  return static_cast<const arrow::StringArray&>(array).GetView(row);
}

Result<Cell> cell_at(const arrow::Array& array, int64_t row) {
  if (array.IsNull(row)) return Cell{};
  switch (array.type_id()) {
    case arrow::Type::BOOL:
      return Cell{static_cast<const arrow::BooleanArray&>(array).Value(row)};
    case arrow::Type::INT32:
      return Cell{int64_t{static_cast<const arrow::Int32Array&>(array).Value(row)}};
    case arrow::Type::INT64:
      return Cell{static_cast<const arrow::Int64Array&>(array).Value(row)};
    case arrow::Type::UINT32:
      return Cell{uint64_t{static_cast<const arrow::UInt32Array&>(array).Value(row)}};
    case arrow::Type::UINT64:
      return Cell{static_cast<const arrow::UInt64Array&>(array).Value(row)};
    case arrow::Type::FLOAT:
      return Cell{static_cast<const arrow::FloatArray&>(array).Value(row)};
    case arrow::Type::DOUBLE:
      return Cell{static_cast<const arrow::DoubleArray&>(array).Value(row)};
    case arrow::Type::DATE32:
      return Cell{Day{static_cast<const arrow::Date32Array&>(array).Value(row)}};
    case arrow::Type::STRING:
      return Cell{text_at(array, row)};
    case arrow::Type::DICTIONARY: {
      const auto& dictionary_array = static_cast<const arrow::DictionaryArray&>(array);
      return cell_at(*dictionary_array.dictionary(), dictionary_array.GetValueIndex(row));
    }
    default:
      return internal_error("a result has a column of type {}", array.type()->ToString());
  }
}

template <typename Float>
std::string shortest(Float value) {
  std::array<char, 48> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  std::string text(buffer.data(), end);
  // A whole number stays recognisable as a floating-point one, so that a reader that guesses types
  // guesses the same for every row.
  if (std::isfinite(value) && text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

}  // namespace

bool CellColumn::is_number() const {
  return std::ranges::all_of(cells, [](const Cell& cell) {
    return !std::holds_alternative<std::string_view>(cell) && !std::holds_alternative<Day>(cell) &&
           !std::holds_alternative<bool>(cell);
  });
}

Result<std::vector<CellColumn>> cells_of(const arrow::Table& table) {
  std::vector<CellColumn> columns;
  for (int c = 0; c < table.num_columns(); ++c) {
    CellColumn& column = columns.emplace_back(CellColumn{table.field(c)->name(), {}});
    column.cells.reserve(static_cast<size_t>(table.num_rows()));
    for (const auto& chunk : table.column(c)->chunks()) {
      for (int64_t row = 0; row < chunk->length(); ++row) {
        TW_ASSIGN(Cell cell, cell_at(*chunk, row));
        column.cells.push_back(cell);
      }
    }
  }
  return columns;
}

std::string shortest_text(double value) { return shortest(value); }
std::string shortest_text(float value) { return shortest(value); }

}  // namespace tapeworks
