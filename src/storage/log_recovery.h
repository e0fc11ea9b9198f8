#pragma once

#include <cstdint>
#include <filesystem>

#include "base/result.h"

namespace tapeworks {

/// What a new writer must know of the log it continues.
struct LogEndFound {
  uint64_t last_lsn = 0;        ///< of the last intact record; 0: none
  uint64_t first_free_lsn = 1;  ///< greater than any LSN that is there, or was in unreadable bytes
};

/// Reads the newest segment; older ones only as long as none has a record. The caller holds the
/// LogLock. kCorrupt when the numbers make no sense, so that nothing can be written behind them.
Result<LogEndFound> find_log_end(const std::filesystem::path& folder);

/// Removes segments that a repair did not finish (NAME.wal.partial). The caller holds the LogLock.
Status remove_partial_segments(const std::filesystem::path& folder);

}  // namespace tapeworks
