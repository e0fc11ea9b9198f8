#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/result.h"

namespace tapeworks {

/// Reads whole columns of one Parquet file of moderate size (our own tables, price files); large
/// inputs are scanned page by page instead (parquet_pages.h).
///
/// An empty `columns` means all. Dictionary columns come back as such when the file says so.
/// Errors: kIo when the file cannot be opened, kCorrupt when it is no good Parquet file or lacks a
/// column, kMemoryBudget when `pool` refuses. The message begins with the path.
Result<std::shared_ptr<arrow::Table>> read_parquet(const std::filesystem::path& path,
                                                   const std::vector<std::string>& columns,
                                                   arrow::MemoryPool* pool);

/// The same for one row group, so that a file larger than the memory budget can be read in parts.
Result<std::shared_ptr<arrow::Table>> read_parquet_row_group(
    const std::filesystem::path& path, int row_group, const std::vector<std::string>& columns,
    arrow::MemoryPool* pool);

/// What the footer of a Parquet file says.
struct ParquetInfo {
  std::shared_ptr<arrow::Schema> schema;
  std::vector<int64_t> row_group_rows;  ///< per row group; none is negative
  int64_t row_count = 0;
  std::map<std::string, std::string> metadata;  ///< key-value pairs of the writer
};

/// Reads the footer only. Errors: as read_parquet.
Result<ParquetInfo> read_parquet_info(const std::filesystem::path& path, arrow::MemoryPool* pool);

/// Reads a file from its first row to its last, an eighth of a row group at a time. By rows,
/// because what a row takes is not known before it is decoded. Memory: those rows, and a page of
/// each column. Threads: one. Errors: those of read_parquet().
class ParquetBatches {
 public:
  /// `pool` must outlive it.
  static Result<ParquetBatches> open(const std::filesystem::path& path, arrow::MemoryPool* pool);
  ParquetBatches(ParquetBatches&&) noexcept;
  ParquetBatches& operator=(ParquetBatches&&) noexcept;
  ~ParquetBatches();

  /// Rows, at least one; null behind the last ones.
  Result<std::shared_ptr<arrow::Table>> next();

 private:
  struct State;
  explicit ParquetBatches(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tapeworks
