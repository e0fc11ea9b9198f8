#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include <arrow/type_fwd.h>

#include "base/result.h"

namespace tapeworks {

struct ParquetFileOptions {
  int zstd_level = 1;
  /// Encodes the columns of a batch in Arrow's own threads, too. The bytes stay the same.
  bool parallel_columns = false;
};

/// Writes a Parquet file of any length as a stream of row groups: zstd, dictionary pages,
/// dictionary columns stored as what they mean (a reader sees plain text). Memory: one row group,
/// encoded.
///
/// Visibility: the file is written beside its place as ".NAME.partial". Only close() puts it at
///   `path`, replacing what was there in one step; a reader sees the old file or the whole new one.
/// Durability: when close() has returned ok, the file survives a power cut.
/// Failure: after any error, or when destroyed without close(), the partial file is removed and
///   `path` is as it was. What a killed process left behind is overwritten by the next writer.
/// Threads: one at a time.
class ParquetFileWriter {
 public:
  /// kIo when the partial file cannot be made, or when another writer is at work on the same path.
  /// `pool` must outlive the writer.
  static Result<ParquetFileWriter> open(const std::filesystem::path& path,
                                        const std::shared_ptr<arrow::Schema>& schema,
                                        const ParquetFileOptions& options, arrow::MemoryPool* pool);

  ParquetFileWriter(ParquetFileWriter&&) noexcept;
  ParquetFileWriter& operator=(ParquetFileWriter&&) noexcept;
  ~ParquetFileWriter();

  /// Adds the batch as one row group. It must have the schema given to open().
  Status write(const arrow::RecordBatch& batch);

  /// Completes and publishes the file; returns its size in bytes. Nothing may follow.
  Result<uint64_t> close();

 private:
  struct State;
  explicit ParquetFileWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tapeworks
