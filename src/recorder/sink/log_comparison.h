#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>

#include <arrow/type_fwd.h>

#include "base/result.h"
#include "recorder/sink/published_file.h"
#include "recorder/sink/published_file_check.h"
#include "recorder/sink/recording_manifest.h"
#include "recorder/sink/replay.h"

namespace tapeworks::recorder {

struct LogComparisonOptions {
  std::filesystem::path output_dir;
  std::filesystem::path wal_dir;
  /// Gets what the log gives: about as many bytes as its hours have in the recording.
  std::filesystem::path scratch_dir;
  uint64_t buffer_bytes = 0;  ///< of rows, while the log is read
};

/// What a log gives, made of it again, beside what was published. The log decides only of files
/// that it has whole, with what was before them, and that can be expected to be published: a
/// recorder may be at work.
///
/// Differences behind records that the log has lost are no findings: there it is the log that
/// lacks something, and `tapeworks wal verify` says where.
class LogComparison {
 public:
  /// Replays the log as far as the recorder has come, unless the recording has no list of files.
  /// Check the recording afterwards. Changes nothing but `scratch_dir`. Errors: those of
  /// replay_log(), and kNoSpace when `scratch_dir` has no room.
  static Result<LogComparison> make(const LogComparisonOptions& options, arrow::MemoryPool* pool);

  /// Whether the log gives the same: rows, gaps, streams, revision. False as well when it cannot
  /// tell; what differs is a finding.
  Result<bool> compare(const Certificate& published, FileFindings& findings) const;

  /// Whether a file that the log gives, and that nobody has published, should be there.
  bool is_due(const ManifestEntry& given) const;
  /// The lists of what the log gives, to be read in given_dir().
  const std::filesystem::path& given_dir() const { return given_dir_; }

  uint64_t lost_records() const { return log_.missing_records; }

 private:
  bool can_tell(const std::string& partition, uint64_t first_lsn, uint64_t close_lsn) const;
  std::optional<std::string> difference(const Certificate& published,
                                        const std::optional<Certificate>& given) const;

  arrow::MemoryPool* pool_ = nullptr;
  std::filesystem::path given_dir_;
  ReplayResult log_;
  /// Files that a record up to here has closed are published, but for these partitions.
  uint64_t settled_lsn_ = 0;
  std::set<std::string> pending_;
};

}  // namespace tapeworks::recorder
