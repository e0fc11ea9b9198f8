#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include <arrow/type_fwd.h>

#include "base/result.h"

namespace tapeworks {

/// How one of our Parquet files is made. Nothing here may depend on the run: the bytes of a file
/// are a function of its rows and of these options.
struct ParquetWriteOptions {
  /// Goes into the file's key-value metadata, e.g. {"tapeworks.mode", "default"}.
  std::map<std::string, std::string> metadata;
  /// Rows of one row group; a reader that streams needs memory for one at a time.
  int64_t row_group_rows_max = 4 * 1024 * 1024;
};

/// Encodes the rows as one complete Parquet file in memory: zstd level 1; text and dictionary
/// columns with a dictionary page, dates and integer keys DELTA_BINARY_PACKED, other numbers
/// BYTE_STREAM_SPLIT (docs/formats/dataset.md has the measurements). The Arrow schema is stored, so
/// that a dictionary column comes back as one.
///
/// Errors: kMemoryBudget when `pool` refuses; kInternal for a type that no table of ours has.
Result<std::shared_ptr<arrow::Buffer>> encode_parquet(const arrow::Table& table,
                                                      const ParquetWriteOptions& options,
                                                      arrow::MemoryPool* pool);

}  // namespace tapeworks
