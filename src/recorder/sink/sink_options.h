#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <string_view>

#include "base/result.h"
#include "base/units.h"
#include "recorder/protocol/log_event.h"
#include "recorder/sink/recording_path.h"

namespace tapeworks::recorder {

/// Called before each step that changes files; an error ends the sink there, as a crash would. For
/// tests; null otherwise.
using StepProbe = std::function<Status(std::string_view step)>;

/// Durations are measured in the times of the log, so that a replay does what the recorder did.
struct SinkOptions {
  std::filesystem::path output_dir;
  Layout layout = Layout::kSymbol;

  /// Rows that are in no part yet. When they are more, large and old ones become parts.
  uint64_t buffer_bytes = 32 * kMiB;
  /// Those, the part and the file that are being made, which parts there are, and what is
  /// remembered of streams, together: what the others take is missing from the rows, down to 4 MiB
  /// of them, or 8 KiB a partition.
  uint64_t memory_bytes = std::numeric_limits<uint64_t>::max();
  size_t part_rows = 8192;                   ///< a partition with so many rows becomes a part
  int64_t part_age_ns = 600 * kSecondNs;     ///< and one whose oldest row has waited so long
  int64_t idle_close_ns = 600 * kSecondNs;   ///< and one that got no row for so long
  int64_t parts_linger_ns = 60 * kSecondNs;  ///< parts stay so long after they were merged
  int64_t checkpoint_interval_ns = 60 * kSecondNs;
  /// Until a configuration record names others. The window must not change while a recording goes
  /// on.
  RowRules rules;

  /// Makes everything anew: neither checkpoint nor published files count as progress, and parts
  /// lie in a folder of their own, which is removed at the end. A file that is not whole (partial)
  /// never replaces one that is.
  bool replay = false;
  /// Of a replay: rows of earlier records are left out, though the records count for what follows.
  uint64_t rows_from_lsn = 0;
  /// Of a replay: the last record that will be read. A published file that is whole and has rows of
  /// later ones stays.
  uint64_t last_lsn = std::numeric_limits<uint64_t>::max();

  /// Of a recorder: the log, which gets a state file at each hour (state_files.h). Empty: none.
  std::filesystem::path log_dir;

  StepProbe probe;
};

}  // namespace tapeworks::recorder
