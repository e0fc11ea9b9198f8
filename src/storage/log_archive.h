#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace tapeworks {

// What happens to segments that are no longer written. The newest segment is never touched: it may
// be a writer's, and it says how far the numbers went. Readers and the writer may be at work; at
// most one thread in one process archives or removes. All names are of files in the folder of the
// log.

/// What a pass over the closed segments did.
struct LogHousekeeping {
  std::vector<std::string> done;     ///< archived, or removed
  std::vector<std::string> damaged;  ///< left as they are, or set aside
};

/// Compresses every closed segment: written under another name, synced, read back and compared,
/// renamed, and only then is the plain file removed. One with damage is left as it is, and so is
/// one without a byte. kCancelled after a signal, kNoSpace on a full disk; what was done stays
/// done, and the next call goes on.
Result<LogHousekeeping> archive_closed_segments(const std::filesystem::path& folder);

/// Removes the segments all of whose records are below `lsn`. One with damage is moved to
/// damaged/ instead, because what it holds cannot be known. Whether the records are still needed is
/// for the caller to know.
Result<LogHousekeeping> remove_segments_before(const std::filesystem::path& folder, uint64_t lsn);

/// A segment's part of the log, for who decides how long it is kept.
struct LogSegmentExtent {
  uint64_t first_lsn = 0;
  uint64_t file_bytes = 0;
  /// When its last record was written, or later: when the next segment was begun. Of the newest,
  /// and of those behind which no header can be read, the latest time there is.
  int64_t end_wall_ns = 0;
};

/// All segments in the order of their LSNs. Reads headers only. Errors: as list_log_segments();
/// kIo.
Result<std::vector<LogSegmentExtent>> log_segment_extents(const std::filesystem::path& folder);

/// Gives `file` a second name in damaged/ and makes that durable; a number is added when the name
/// is taken.
Status keep_in_damaged(const std::filesystem::path& folder, const std::filesystem::path& file);

}  // namespace tapeworks
