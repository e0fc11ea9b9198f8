#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tapeworks::bigquery {

enum class CellKind : uint8_t {
  kNull,
  kText,    ///< also numbers, which BigQuery writes as text
  kNested,  ///< an array or a record; its content is dropped
};

/// One value of a row; `text` points into the answer.
struct Cell {
  const char* text = nullptr;
  uint32_t size = 0;
  CellKind kind = CellKind::kNull;

  std::string_view view() const { return {text, size}; }
};

/// A JSON answer of BigQuery: its rows as cells in one array, everything else as facts by their
/// path.
///
/// Memory: the answer itself, cell_bytes_max() for cells, and up to kFactsMax facts.
/// Ownership: cells and texts live as long. Threads: any, to read.
class RestAnswer {
 public:
  static constexpr size_t kFactsMax = 50'000;
  static constexpr size_t kPathBytesMax = 512;

  /// What parse() allocates for the cells of this text, at once: at most twice its size.
  static uint64_t cell_bytes_max(std::string_view json);

  /// kIo for what is no JSON object, has rows of unequal length, or exceeds a limit: one sentence
  /// without the name of the server.
  static Result<RestAnswer> parse(std::string json);

  /// The scalar at a path like "schema/fields/0/name"; empty when there is none or it is null.
  std::string_view fact(std::string_view path) const;

  size_t row_count() const { return row_count_; }
  size_t column_count() const { return column_count_; }
  std::span<const Cell> row(size_t index) const {
    return std::span(cells_).subspan(index * column_count_, column_count_);
  }

 private:
  friend class AnswerReader;

  std::unique_ptr<std::string> json_;  // parsed in place; cells point into it
  std::vector<Cell> cells_;
  size_t row_count_ = 0;
  size_t column_count_ = 0;
  std::map<std::string, std::string, std::less<>> facts_;
};

}  // namespace tapeworks::bigquery
