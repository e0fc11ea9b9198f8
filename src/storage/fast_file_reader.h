#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <arrow/type_fwd.h>

#include "storage/growing_buffer.h"

namespace tapeworks {

struct PreparedSchema;

/// Reads small files of PagePacking::kFast whole. The library's reader makes a dozen objects for
/// each column of each file, which is most of its time where files are small; this one copies
/// values out of the pages and little else.
///
/// Memory, of `pool`: the rows as columns, and one column chunk as it is stored. Beside it 24 bytes
/// a row and 16 a text of a dictionary. Of each of these up to 1 MiB is kept for the next file.
/// Threads: one at a time.
class FastFileReader {
 public:
  /// `pool` must outlive the reader and the tables.
  explicit FastFileReader(arrow::MemoryPool* pool);
  ~FastFileReader();

  arrow::MemoryPool* pool() const { return pool_; }

  /// The rows, with the footer's key-value pairs as the metadata of their schema.
  ///
  /// Null for anything but one row group that a ParquetStreamWriter of PagePacking::kFast has made
  /// of that schema, of texts, binary values, times, 64-bit floats and integers, with eight bytes a
  /// row at the least; and for a file that cannot be read. read_parquet() reads more kinds of
  /// files, and says what is wrong.
  std::shared_ptr<arrow::Table> read(const std::filesystem::path& path,
                                     const std::shared_ptr<arrow::Schema>& schema);

 private:
  class Chunk;
  class RowsMemory;
  struct Page;

  arrow::Result<std::shared_ptr<arrow::Table>> try_read(
      const std::filesystem::path& path, const std::shared_ptr<arrow::Schema>& schema);
  arrow::Result<std::shared_ptr<arrow::Array>> read_column(const arrow::Field& field, Chunk chunk,
                                                           size_t row_count, RowsMemory& memory);
  template <typename Value>
  arrow::Status read_numbers(Chunk& chunk, size_t row_count, uint8_t* out);
  arrow::Status read_texts(Chunk& chunk, size_t row_count);
  arrow::Status take_levels(Page& page);
  arrow::Status take_texts(const Page& page, std::span<std::string_view> texts);
  void give_back_buffers();

  arrow::MemoryPool* pool_;
  std::unique_ptr<PreparedSchema> schema_;  // of the last file

  // Of the column that is read.
  GrowingBuffer stored_;
  bool is_nullable_ = false;
  size_t null_count_ = 0;                // in the pages so far
  std::vector<int32_t> levels_;          // of all rows: 1 where there is a value
  std::vector<std::string_view> texts_;  // of all rows
  std::vector<std::string_view> dictionary_;
  std::vector<int32_t> indices_;
};

}  // namespace tapeworks
