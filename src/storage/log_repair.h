#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "storage/log_file_operations.h"

namespace tapeworks {

/// What a repair did.
struct LogRepair {
  std::vector<std::string> rewritten;  ///< segments with damage; the originals are in damaged/
  std::vector<std::string> added;      ///< segments that only say which records are lost
  uint64_t kept_record_count = 0;      ///< in the rewritten segments
  uint64_t lost_record_count = 0;      ///< written down as lost by this repair
};

/// Makes a log whole as far as it can be, without losing a byte:
///
/// 1. A segment with damage, a torn tail included, is rewritten: its intact records, as they are,
/// into a new file
///    of the same name that ends with an end mark. The damaged original stays in damaged/.
/// 2. Where records are missing, a lost record takes their place, so that the hole stays known: in
/// the
///    rewritten segment before the next intact record, or at its end, or, where no segment was
///    damaged (a file is gone), in a segment of its own.
/// 3. Segments without damage are not touched, whether they have an end mark or not.
///
/// A crash in between leaves a log that can be repaired again. Doing it twice does nothing more.
/// kIo when a writer is at work. Memory: one LogSegmentCursor and the findings of check_log().
Result<LogRepair> repair_log(const std::filesystem::path& folder);

}  // namespace tapeworks
