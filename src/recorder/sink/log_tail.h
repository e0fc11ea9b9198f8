#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>

#include <arrow/type_fwd.h>

#include "base/result.h"
#include "recorder/sink/log_state.h"
#include "recorder/sink/table_schema.h"

namespace tapeworks::recorder {

struct LogTailOptions {
  std::filesystem::path log_dir;
  uint64_t after_lsn = 0;
  std::filesystem::path scratch_dir;  ///< gets the files
  uint64_t buffer_bytes = 0;          ///< of rows before they go into a row group
  bool accepts_holes = true;
};

struct LogTail {
  uint64_t last_lsn = 0;   ///< of the last intact record; 0: there was none
  uint64_t row_count = 0;  ///< of all tables
  uint64_t lost_records = 0;
  std::map<TableKind, std::filesystem::path> files;  ///< one Parquet file a table that has rows
};

/// Makes rows of the records above `after_lsn`, up to the end of the log as it is now, into one
/// file a table. `state` is what the records up to `after_lsn` have left. The log may be in use.
///
/// Nothing when records are missing and `accepts_holes` is not set: on a live log that may be a
/// write at this moment, or a segment that was removed because a newer checkpoint needs it no more.
Result<std::optional<LogTail>> read_log_tail(const LogTailOptions& options, LogState state,
                                             arrow::MemoryPool* pool);

}  // namespace tapeworks::recorder
