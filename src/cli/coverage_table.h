#pragma once

#include <cstddef>
#include <memory>

#include <arrow/table_builder.h>
#include <arrow/type_fwd.h>

#include "base/result.h"
#include "recorder/sink/recording_check.h"

namespace tapeworks {

/// The coverage of a recording as a table to print: what failed, and as much of the rest as has
/// room.
///
/// Memory: at most kRowsMax rows, about 300 bytes each, from `pool`. Threads: one.
class CoverageTable {
 public:
  static constexpr size_t kRowsMax = 100'000;
  /// Kept for what failed, so that a long recording's end is not hidden by its beginning.
  static constexpr size_t kFailedRowsKept = 10'000;

  static Result<CoverageTable> make(arrow::MemoryPool* pool);
  CoverageTable(CoverageTable&&) noexcept;
  ~CoverageTable();

  Status add(const recorder::CoverageRow& row);
  /// Rows that found no room.
  size_t left_out_count() const { return left_out_count_; }
  Result<std::shared_ptr<arrow::Table>> finish();

 private:
  explicit CoverageTable(std::unique_ptr<arrow::RecordBatchBuilder> columns);

  std::unique_ptr<arrow::RecordBatchBuilder> columns_;
  size_t row_count_ = 0;
  size_t left_out_count_ = 0;
};

}  // namespace tapeworks
