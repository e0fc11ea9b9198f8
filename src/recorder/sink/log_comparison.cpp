#include "recorder/sink/log_comparison.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "recorder/sink/checkpoint.h"
#include "recorder/sink/replay.h"
#include "storage/posix_file.h"

namespace tapeworks::recorder {
namespace fs = std::filesystem;
namespace {

/// How far a recorder has come; nothing without a checkpoint, or with one that is being replaced.
std::optional<Checkpoint> read_checkpoint(const fs::path& output_dir) {
  const fs::path path = output_dir / kPartsFolder / kCheckpointFile;
  std::error_code error;
  if (!fs::exists(path, error)) return std::nullopt;
  const auto bytes = read_text_file(path);
  if (!bytes) return std::nullopt;
  auto checkpoint = decode_checkpoint(*bytes, std::nullopt);
  return checkpoint ? std::optional(std::move(*checkpoint)) : std::nullopt;
}

/// The first of what two certificates of one revision say differently.
std::optional<std::string> difference_of_contents(const Certificate& published,
                                                  const Certificate& given) {
  if (published.row_count != given.row_count) {
    return fmt::format("the log gives {} rows, the file has {}", given.row_count,
                       published.row_count);
  }
  const auto numbers = [](const char* what, uint64_t in_file, uint64_t of_log) {
    return fmt::format("the log gives {} {}, the file has {}", what, of_log, in_file);
  };
  if (published.first_lsn != given.first_lsn) {
    return numbers("the first LSN", published.first_lsn, given.first_lsn);
  }
  if (published.last_lsn != given.last_lsn) {
    return numbers("the last LSN", published.last_lsn, given.last_lsn);
  }
  if (published.row_checksum != given.row_checksum) return "the log gives rows with other values";
  if (published.gaps != given.gaps) return "the log gives other gaps for its certificate";
  if (published.streams != given.streams) return "the log gives other streams for its certificate";
  if (published.revision != given.revision) {
    return numbers("revision", published.revision, given.revision);
  }
  if (published.complete != given.complete) {
    return given.complete ? "by the log its hour was over" : "by the log its hour was not over";
  }
  return std::nullopt;
}

}  // namespace

Result<LogComparison> LogComparison::make(const LogComparisonOptions& options,
                                          arrow::MemoryPool* pool) {
  // What is published by now must be in the log when that is read, and what is not yet is no
  // finding.
  const auto checkpoint = read_checkpoint(options.output_dir);
  const auto top = read_manifest_top(options.output_dir);
  LogComparison comparison;
  comparison.pool_ = pool;
  std::error_code error;
  if (!fs::is_directory(options.output_dir / kManifestFolder, error)) return comparison;
  comparison.given_dir_ = options.scratch_dir / "of_log";
  ReplayOptions replay;
  replay.wal_dir = options.wal_dir;
  replay.sink.output_dir = comparison.given_dir_;
  replay.sink.buffer_bytes = options.buffer_bytes;
  if (top && *top) replay.layout = (*top)->layout;
  TW_ASSIGN(const ReplayResult result, replay_log(replay, pool));
  comparison.begins_at_first_ = !result.whole_from_ns;
  comparison.last_lsn_ = result.last_lsn;
  comparison.lost_records_ = result.missing_records;
  comparison.first_lost_lsn_ = result.first_missing_lsn;
  if (!checkpoint) return comparison;
  comparison.settled_lsn_ = checkpoint->state.lsn;
  // The last record of a recorder that has stopped closes what came up to it.
  if (result.last_lsn == checkpoint->state.lsn) ++comparison.settled_lsn_;
  for (const MergeJob& job : checkpoint->jobs) comparison.pending_.insert(job.partition);
  return comparison;
}

Result<bool> LogComparison::compare(const Certificate& published, FileFindings& findings) const {
  if (published.partial) return false;
  TW_ASSIGN(
      const auto given,
      read_certificate(given_dir_ / (published.partition + std::string(kPublishedSuffix)), pool_));
  if (given && given->partial) return false;
  const uint64_t last_close = std::max(published.close_lsn, given ? given->close_lsn : 0);
  auto found = difference(published, given);
  const bool is_told = given && given->close_lsn == published.close_lsn;
  if (found && !is_behind_loss(last_close)) findings.add(std::move(*found));
  return is_told && !found;
}

std::optional<std::string> LogComparison::difference(
    const Certificate& published, const std::optional<Certificate>& given) const {
  // Published meanwhile, by a recorder that is at work.
  if (published.close_lsn > last_lsn_ + 1) return std::nullopt;
  if (!given) {
    if (!begins_at_first_) return std::nullopt;
    return "the log gives no row of it";
  }
  if (given->close_lsn == published.close_lsn) return difference_of_contents(published, *given);
  const bool is_pending = given->close_lsn > published.close_lsn &&
                          (given->close_lsn > settled_lsn_ || pending_.contains(given->partition));
  if (is_pending) return std::nullopt;
  return fmt::format("by the log record {} has closed it, and not record {}", given->close_lsn,
                     published.close_lsn);
}

bool LogComparison::is_due(const ManifestEntry& given) const {
  return !given.partial && given.close_lsn <= settled_lsn_ && !is_behind_loss(given.close_lsn) &&
         !pending_.contains(given.partition());
}

}  // namespace tapeworks::recorder
