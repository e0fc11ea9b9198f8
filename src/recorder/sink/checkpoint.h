#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "recorder/sink/file_merge.h"
#include "recorder/sink/log_state.h"
#include "recorder/sink/recording_path.h"
#include "recorder/sink/table_schema.h"

namespace tapeworks::recorder {

/// Names below the recording's folder, and in that one.
inline constexpr const char* kPartsFolder = ".parts";
inline constexpr const char* kCheckpointFile = "checkpoint";

/// A file that is not closed for good.
struct OpenPartition {
  std::string path;
  TableKind table = TableKind::kRows;
  std::string exchange;  ///< empty: not known
  std::string market;    ///< empty when the file has those of many
  std::string symbol;    ///< empty when the file has those of many
  int64_t begin_ns = 0;
  int64_t end_ns = 0;
  int64_t close_time_ns = 0;        ///< closes with the first record at or after it
  bool has_new_rows = false;        ///< since it was closed last
  bool was_published_open = false;  ///< its newest revision is not complete
};

/// Where the sink can go on: what the records up to LogState::lsn have left, but for rows, which
/// are all in parts or files by then.
struct Checkpoint {
  Layout layout = Layout::kSymbol;
  LogState state;
  std::vector<OpenPartition> partitions;
  std::vector<MergeJob> jobs;
};

/// The bytes of a checkpoint file: "TWSINKCP", version, XXH3-64 of the rest, the rest.
std::string encode_checkpoint(Layout layout, const LogState& state,
                              const std::vector<const OpenPartition*>& partitions,
                              const std::vector<const MergeJob*>& jobs);
/// kCorrupt for bytes that are none; kInvalidArgument when the window is not the one that is given.
Result<Checkpoint> decode_checkpoint(std::string_view bytes,
                                     std::optional<int64_t> dedupe_window_rows);

}  // namespace tapeworks::recorder
