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

namespace tapeworks::recorder {

struct LogComparisonOptions {
  std::filesystem::path output_dir;
  std::filesystem::path wal_dir;
  /// Gets what the log gives: about as many bytes as its hours have in the recording.
  std::filesystem::path scratch_dir;
  uint64_t buffer_bytes = 0;  ///< of rows, while the log is read
};

/// What a log gives, made of it again, beside what was published. The log decides only of files
/// that it has whole, and that can be expected to be published: a recorder may be at work.
///
/// Differences behind records that the log has lost are no findings: there it is the log that
/// lacks something, and `tapeworks wal verify` says where.
class LogComparison {
 public:
  /// Replays the log, unless the recording has no list of files. Read the recording afterwards.
  /// Changes nothing but `scratch_dir`. Errors: those of replay_log().
  static Result<LogComparison> make(const LogComparisonOptions& options, arrow::MemoryPool* pool);

  /// Whether the log gives the same: rows, gaps, streams, revision. False as well when it cannot
  /// tell; what differs is a finding.
  Result<bool> compare(const Certificate& published, FileFindings& findings) const;

  /// Whether a file that the log gives, and that nobody has published, should be there.
  bool is_due(const ManifestEntry& given) const;
  /// The lists of what the log gives, to be read in given_dir().
  const std::filesystem::path& given_dir() const { return given_dir_; }

  uint64_t lost_records() const { return lost_records_; }

 private:
  bool is_behind_loss(uint64_t lsn) const { return first_lost_lsn_ && lsn > *first_lost_lsn_; }
  std::optional<std::string> difference(const Certificate& published,
                                        const std::optional<Certificate>& given) const;

  arrow::MemoryPool* pool_ = nullptr;
  std::filesystem::path given_dir_;
  bool begins_at_first_ = false;  ///< no record of the log was removed
  uint64_t last_lsn_ = 0;         ///< of the log
  uint64_t lost_records_ = 0;
  std::optional<uint64_t> first_lost_lsn_;
  /// Files that a record up to here has closed are published, but for these partitions.
  uint64_t settled_lsn_ = 0;
  std::set<std::string> pending_;
};

}  // namespace tapeworks::recorder
