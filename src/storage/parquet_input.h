#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include <arrow/type_fwd.h>

#include "base/result.h"
#include "storage/column_pages.h"
#include "storage/input_file.h"
#include "storage/memory_budget.h"

namespace parquet {
class ColumnDescriptor;
class FileMetaData;
}  // namespace parquet

namespace tapeworks {

/// A Parquet file, or object of a store, whose flat columns are read page by page, in the encoding
/// they are stored in.
///
/// Ownership: keeps the footer; each row group has the file for itself, so that several threads can
/// read at once. Threads: const members from any.
class ParquetInput {
 public:
  /// kIo when the file cannot be opened, kCorrupt when it is no Parquet file.
  static Result<ParquetInput> open(const std::filesystem::path& path, MemoryBudget& budget);
  /// The same for a file of our own: pages come from `pool`, and the distinct values of its columns
  /// are for the caller to reserve.
  static Result<ParquetInput> open(const std::filesystem::path& path, arrow::MemoryPool* pool);

  const std::filesystem::path& path() const { return path_; }
  int row_group_count() const;
  int64_t row_group_rows(int row_group) const;
  int64_t row_count() const;
  const parquet::FileMetaData& metadata() const { return *metadata_; }
  /// The bytes of the file, for a reader of its own.
  Result<InputFile> bytes() const { return source_.share(path_); }
  arrow::MemoryPool* pool() const { return pool_; }
  /// Null when it was opened without one.
  MemoryBudget* budget() const { return budget_; }

  /// The index of a top-level column that holds plain values; kCorrupt naming the columns that
  /// there are when it is missing, or when it is nested or repeated.
  Result<int> find_column(const std::string& name) const;
  bool has_column(const std::string& name) const;
  /// Leaf columns, nested ones included.
  int column_count() const;
  const parquet::ColumnDescriptor& column(int index) const;

 private:
  friend class RowGroupInput;
  ParquetInput() = default;

  std::filesystem::path path_;
  InputFile source_;  ///< of an object
  std::shared_ptr<parquet::FileMetaData> metadata_;
  arrow::MemoryPool* pool_ = nullptr;
  MemoryBudget* budget_ = nullptr;
};

class ColumnChunkReader;

/// One row group being read. Must outlive its column readers. Threads: one.
class RowGroupInput {
 public:
  /// Announces to the system that `columns` will be read.
  static Result<std::unique_ptr<RowGroupInput>> open(const ParquetInput& file, int row_group,
                                                     std::span<const int> columns);
  ~RowGroupInput();

  const ParquetInput& file() const { return file_; }
  int row_group() const { return row_group_; }
  int64_t row_count() const;

 private:
  friend class ColumnChunkReader;
  RowGroupInput(const ParquetInput& file, int row_group);

  const ParquetInput& file_;
  int row_group_;
  std::unique_ptr<arrow::MemoryPool> pool_;
  InputFile source_;
  PageDecompressor decompressor_;
};

/// A page that the memory budget cannot take is the fault of the input: the error becomes kCorrupt
/// and says which --memory would do, twice as much at the least. `row_group_bytes` is what the
/// columns of its row group take when they are unpacked, 0 where that is not known. Other errors
/// stay as they are.
Error explain_page_budget(Error error, const MemoryBudget& budget, uint64_t row_group_bytes = 0);

}  // namespace tapeworks
