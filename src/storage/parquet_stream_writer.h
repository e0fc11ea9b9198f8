#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include <arrow/type_fwd.h>

#include "base/result.h"
#include "storage/page_packing.h"

namespace tapeworks {

/// A file as it was written.
struct WrittenFile {
  uint64_t byte_count = 0;
  uint64_t xxh3 = 0;  ///< XXH3-64 of all bytes
  uint64_t row_count = 0;
};

/// Writes Parquet files of any length, one after the other, a row group at a time, in the encodings
/// of ParquetEncoder, but int32 DELTA_BINARY_PACKED, or all numbers PLAIN and nothing compressed
/// (PagePacking). The bytes are a function of rows, row groups, packing and metadata.
///
/// Memory: one encoded column chunk, or where rows come in pages an encoded row group, and buffers
///   of a page, of which up to 1 MiB each is kept for the next file.
/// Durability: when finish() has returned ok, the content survives a power cut. Giving the file its
///   final name is for the caller; this class neither renames nor removes.
/// Failure: after an error the file is unfinished and stays where it is; open() begins another one.
/// Threads: one at a time.
class ParquetStreamWriter {
 public:
  /// Dictionary columns are stored as what they mean. `pool` must outlive the writer.
  explicit ParquetStreamWriter(arrow::MemoryPool* pool, PagePacking packing = PagePacking::kSmall);
  ~ParquetStreamWriter();
  ParquetStreamWriter(const ParquetStreamWriter&) = delete;
  ParquetStreamWriter& operator=(const ParquetStreamWriter&) = delete;

  /// Makes a new file; one that exists already is an error. What was not finished is let go.
  Status open(const std::filesystem::path& path, const std::shared_ptr<arrow::Schema>& schema);

  /// Adds the rows as one row group. The table has the schema given to open().
  Status append_row_group(const arrow::Table& rows);

  /// Adds the rows, whose schema is that given to open(), as one page of each column to a row group
  /// that ends with end_row_group(): nobody needs all rows of a row group in memory at once. No
  /// columns of dictionary indices. kInternal: a row group without a page, or begun inside this
  /// one.
  Status append_page(const arrow::Table& rows);
  Status end_row_group();

  /// Writes the footer with these key-value pairs, syncs and closes.
  Result<WrittenFile> finish(const std::map<std::string, std::string>& metadata);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tapeworks
