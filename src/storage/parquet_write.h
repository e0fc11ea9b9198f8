#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>

#include <arrow/type_fwd.h>

#include "base/result.h"
#include "storage/byte_sink.h"

namespace tapeworks {

/// How one of our Parquet files is made. Nothing here may depend on the run: the bytes of a file
/// are a function of its rows and of these options.
struct ParquetWriteOptions {
  /// Goes into the file's key-value metadata, e.g. {"tapeworks.mode", "default"}.
  std::map<std::string, std::string> metadata;
  /// Rows of one row group; a reader that streams needs memory for one at a time.
  int64_t row_group_rows_max = int64_t{4} * 1024 * 1024;
  /// Whether readers of Arrow get dictionary columns back as such, or as the texts they stand for.
  bool store_dictionary_types = true;
  /// Threads that encode the row groups of encode_to(); the bytes are the same for any number.
  size_t thread_count = 1;
};

/// Raised when the same rows give other bytes than before: tables that are partly of another
/// version never equal a rebuild (docs/formats/input_index.md).
constexpr int kEncodingVersion = 2;

/// Makes Parquet files in memory, one after the other, with buffers and a compression context that
/// it keeps. The pages are built here, because the generic writer copies every value several times;
/// headers and footer are the library's.
///
/// zstd; text and dictionary columns with a dictionary page, dates and integer keys
/// DELTA_BINARY_PACKED, other numbers BYTE_STREAM_SPLIT (docs/formats/dataset.md has the
/// measurements). The Arrow schema is stored, so that a dictionary column comes back as one.
/// Threads: one at a time.
class ParquetEncoder {
 public:
  /// `pool` must outlive the encoder.
  explicit ParquetEncoder(arrow::MemoryPool* pool);
  ~ParquetEncoder();
  ParquetEncoder(const ParquetEncoder&) = delete;
  ParquetEncoder& operator=(const ParquetEncoder&) = delete;

  /// One complete file with the rows of `table`; the bytes stay until the next call. A schema is
  /// prepared once as long as tables share the object.
  /// Columns: dictionary(int32, utf8), utf8, binary, date32, timestamp, int32, uint32, int64,
  /// uint64, float32, float64, bool. Errors: kMemoryBudget when the pool refuses; kInternal for a
  /// type that no table of ours has.
  Result<std::span<const std::byte>> encode(const arrow::Table& table,
                                            const ParquetWriteOptions& options);

  /// Makes the rows of row group `index`, from any thread and in any order; each once.
  using RowGroupSource = std::function<Result<std::shared_ptr<arrow::Table>>(size_t index)>;

  /// The same for rows that are made when they are needed, handed to `sink` in the order of the
  /// file: a row group a thread is in memory, as rows and encoded. All rows have `schema`;
  /// row_group_rows_max is for the source to keep.
  Status encode_to(const ByteSink& sink, const std::shared_ptr<arrow::Schema>& schema,
                   size_t row_group_count, const RowGroupSource& source,
                   const ParquetWriteOptions& options);

 private:
  struct Worker;
  struct State;
  std::unique_ptr<State> state_;
};

/// One file by an encoder of its own.
Result<std::shared_ptr<arrow::Buffer>> encode_parquet(const arrow::Table& table,
                                                      const ParquetWriteOptions& options,
                                                      arrow::MemoryPool* pool);

}  // namespace tapeworks
