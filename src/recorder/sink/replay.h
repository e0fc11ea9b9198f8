#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>

#include <arrow/type_fwd.h>

#include "base/result.h"
#include "recorder/sink/sink_options.h"
#include "storage/memory_budget.h"

namespace tapeworks::recorder {

struct ReplayOptions {
  std::filesystem::path wal_dir;
  SinkOptions sink;  ///< output_dir, buffer_bytes; the rest is set by replay_log()
  /// None: that of the recording in output_dir, else that of the recorder which wrote the log.
  std::optional<Layout> layout;
  uint64_t from_lsn = 0;  ///< 0: from the oldest record kept
  uint64_t to_lsn = 0;    ///< inclusive; 0: to the end
};

struct ReplayResult {
  static constexpr uint64_t kNeverRuled = std::numeric_limits<uint64_t>::max();

  uint64_t record_count = 0;
  uint64_t row_count = 0;
  uint64_t quarantined_count = 0;
  uint64_t published_files = 0;
  uint64_t kept_files = 0;       ///< published before, and not replaced by what is only a part
  uint64_t missing_records = 0;  ///< lost by the log
  std::optional<uint64_t> first_missing_lsn = {};
  uint64_t first_lsn = 0;
  uint64_t last_lsn = 0;
  /// The log begins inside an hour: no earlier one can be made of it, and the first whole one
  /// begins at whole_from_ns. Not set when nothing of the log was removed.
  std::optional<int64_t> whole_from_ns;
  bool is_exact = false;  ///< a state file has said what the removed records had left there
  /// A configuration record of an earlier version did not name its rules; this one is the first
  /// behind it that does. 0: there was none.
  uint64_t ruled_from_lsn = 0;
};

/// For SinkOptions::buffer_bytes: rows that wait to become a part. The rest is for joining parts.
/// kMemoryBudget when `budget` has not that much.
Result<Reservation> reserve_replay_buffer(MemoryBudget& budget);

/// Makes the recording again from its log, by the sink that records. Hours that are wholly in the
/// log get the bytes that the recorder gave them, by the rules that the log names; those cut by its
/// ends or by from_lsn and to_lsn are marked partial, and never replace a file that is not.
///
/// Errors: kInvalidArgument for a log that does not exist or an empty range; kCancelled after a
/// signal. Files that were published until then are whole.
Result<ReplayResult> replay_log(const ReplayOptions& options, arrow::MemoryPool* pool);

}  // namespace tapeworks::recorder
