#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "base/result.h"
#include "recorder/sink/checkpoint.h"
#include "recorder/sink/log_state.h"
#include "recorder/sink/recording_path.h"

namespace tapeworks::recorder {

/// What the records of a log up to the beginning of an hour have left, one file an hour beside the
/// segments, so that a log whose older segments are gone can be replayed as if it had them:
///
///   {log}/states/{LSN of the last record, 20 digits}.state
///
/// A file is what the sink's checkpoint is, without open files. The log and its hours can do
/// without: one that is damaged or missing costs exactness of a replay and nothing else.

/// Of so many files every second one goes, so that they reach back as far as the log does.
inline constexpr size_t kStateFilesMax = 48;

/// Writes the file for `state`, which replaces one of the same LSN, and removes those that the log
/// has outlived. On a full disk there is none for this hour, which is no error.
Status write_state_file(const std::filesystem::path& log_dir, Layout layout, const LogState& state);

/// The oldest state from which the log has all records, without files; nothing when there is none,
/// and a warning for each file that is damaged.
Result<std::optional<Checkpoint>> find_state(const std::filesystem::path& log_dir);

}  // namespace tapeworks::recorder
