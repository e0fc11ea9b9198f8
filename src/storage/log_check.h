#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "storage/log_format.h"

namespace tapeworks {

enum class LogSegmentState {
  kClosed,   ///< ends with its end mark
  kOpen,     ///< no end mark, nothing damaged: being written, or its writer was killed
  kTorn,     ///< no end mark, and unreadable bytes at the end: a crash in the middle of a write
  kDamaged,  ///< unreadable bytes elsewhere
};
const char* to_string(LogSegmentState state);

/// What is wrong at one place of a log.
struct LogFinding {
  enum class Kind {
    kHole,      ///< records are missing
    kLost,      ///< records are missing, and a repair has put a record in their place
    kTornTail,  ///< bytes of an unfinished write, perhaps; no record is known to be missing
    kDamage,    ///< bytes are not as they were written, and no record is missing for it
  } kind;
  std::string segment;
  uint64_t byte_offset = 0;
  uint64_t lsn_before = 0;  ///< 0: none
  uint64_t lsn_after = 0;   ///< 0: none
  uint64_t first_missing_lsn = 0;
  uint64_t missing_count = 0;
  bool in_bytes = true;  ///< false: every byte that is there is intact, but records are missing
  /// Somebody has written it down already: a repair that records are lost, or the next start that
  /// nothing is missing behind a torn tail.
  bool accounted_for = false;
  std::string detail;
};
const char* to_string(LogFinding::Kind kind);

struct LogSegmentSummary {
  std::string name;
  bool archived = false;
  LogSegmentState state = LogSegmentState::kOpen;
  uint64_t first_lsn = 0;  ///< of the name
  uint64_t last_lsn = 0;   ///< 0: no record
  uint64_t record_count = 0;
  uint64_t used_bytes = 0;  ///< of the content, up to the end of what was written
  uint64_t file_bytes = 0;
  int64_t first_wall_time_ns = 0;
  int64_t last_wall_time_ns = 0;
  std::optional<LogSegmentHeader> header;  ///< nothing when it is damaged
  std::vector<LogFinding> findings;
};

struct LogCheck {
  bool in_use = false;  ///< a writer is at work
  std::vector<LogSegmentSummary> segments;

  /// Nothing is wrong but what is accounted for.
  bool passed() const;
};

/// Reads every byte of a log. In the segment of a writer at work only what stays the same from one
/// look to the next is believed to be damage. Memory: that of one LogSegmentCursor, and the
/// findings, of which at most kFindingsPerSegmentMax are kept for each segment (the last one says
/// so). Errors: as LogReader; kCancelled after a signal. Threads: one; a writer may be at work.
inline constexpr size_t kFindingsPerSegmentMax = 1000;
Result<LogCheck> check_log(const std::filesystem::path& folder);
/// For a caller that knows whether a writer is at work, as the holder of the LogLock does.
Result<LogCheck> check_log(const std::filesystem::path& folder, bool in_use);

}  // namespace tapeworks
