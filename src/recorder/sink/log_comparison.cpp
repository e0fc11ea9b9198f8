#include "recorder/sink/log_comparison.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/units.h"
#include "recorder/sink/checkpoint.h"
#include "recorder/sink/recording_path.h"
#include "recorder/sink/recording_repair.h"
#include "storage/log_segment_file.h"
#include "storage/posix_file.h"

namespace tapeworks::recorder {
namespace fs = std::filesystem;
namespace {

/// How far a recorder has come; nothing without a checkpoint, or with a damaged one.
std::optional<Checkpoint> read_checkpoint(const fs::path& output_dir) {
  const fs::path path = output_dir / kPartsFolder / kCheckpointFile;
  std::error_code error;
  if (!fs::exists(path, error)) return std::nullopt;
  const auto bytes = read_text_file(path);
  if (!bytes) return std::nullopt;
  auto checkpoint = decode_checkpoint(*bytes, std::nullopt);
  return checkpoint ? std::optional(std::move(*checkpoint)) : std::nullopt;
}

struct Published {
  uint64_t last_close_lsn = 0;
  uint64_t bytes_in_log = 0;  ///< of files with rows that the log still has
};

Result<Published> sum_of(const fs::path& output_dir, uint64_t first_lsn_of_log) {
  Published published;
  TW_ASSIGN(const auto lists, find_lists(output_dir));
  for (const std::string& list : lists) {
    const auto entries = read_manifest_list(output_dir, list);
    if (!entries || !*entries) continue;  // for the check to tell
    for (const ManifestEntry& entry : **entries) {
      published.last_close_lsn = std::max(published.last_close_lsn, entry.close_lsn);
      if (entry.last_lsn >= first_lsn_of_log) published.bytes_in_log += entry.byte_count;
    }
  }
  return published;
}

/// What a replay writes would else be missing to others: the recorder itself, perhaps.
Status check_room(const fs::path& folder, uint64_t bytes) {
  constexpr uint64_t kLeftForOthers = kGiB;
  std::error_code error;
  const fs::space_info space = fs::space(folder, error);
  // Parts are not compressed, and there while they are joined.
  const uint64_t needed = 2 * bytes + kLeftForOthers;
  if (error || space.available >= needed) return {};
  return fail(ErrorKind::kNoSpace,
              "{}: {} is free, and to make the recording of the log again takes up to {}; name a "
              "folder with more room with --temp-dir",
              folder.string(), format_byte_size(space.available), format_byte_size(needed));
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
  LogComparison comparison;
  comparison.pool_ = pool;
  std::error_code error;
  if (!fs::is_directory(options.output_dir / kManifestFolder, error)) return comparison;
  // What is published by now must be in the log when that is read, and what is not yet is no
  // finding. Behind that a recorder may be at work.
  const auto checkpoint = read_checkpoint(options.output_dir);
  TW_ASSIGN(const auto first_lsn, first_lsn_of_log(options.wal_dir));
  TW_ASSIGN(const Published published, sum_of(options.output_dir, first_lsn.value_or(0)));
  TW_TRY(check_room(options.scratch_dir, published.bytes_in_log));
  comparison.given_dir_ = options.scratch_dir / "of_log";
  ReplayOptions replay;
  replay.wal_dir = options.wal_dir;
  replay.sink.output_dir = comparison.given_dir_;
  replay.sink.buffer_bytes = options.buffer_bytes;
  replay.to_lsn = std::max(published.last_close_lsn, checkpoint ? checkpoint->state.lsn : 0);
  const auto top = read_manifest_top(options.output_dir);
  if (top && *top) replay.layout = (*top)->layout;
  TW_ASSIGN(comparison.log_, replay_log(replay, pool));
  if (!checkpoint) return comparison;
  comparison.settled_lsn_ = checkpoint->state.lsn;
  // The last record of a recorder that has stopped closes what came up to it.
  if (comparison.log_.last_lsn == checkpoint->state.lsn) ++comparison.settled_lsn_;
  for (const MergeJob& job : checkpoint->jobs) comparison.pending_.insert(job.partition);
  return comparison;
}

/// Of a file that the log has whole, or that it should have.
bool LogComparison::can_tell(const std::string& partition, uint64_t first_lsn,
                             uint64_t close_lsn) const {
  const bool lost_some = log_.first_missing_lsn && close_lsn > *log_.first_missing_lsn;
  if (lost_some || first_lsn < log_.ruled_from_lsn) return false;
  // Published meanwhile, by a recorder that is at work.
  if (close_lsn > log_.last_lsn + 1) return false;
  if (!log_.whole_from_ns) return true;
  const auto time = parse_partition_time(partition);
  return log_.is_exact && time && time->begin_ns >= *log_.whole_from_ns;
}

Result<bool> LogComparison::compare(const Certificate& published, FileFindings& findings) const {
  if (published.partial) return false;
  TW_ASSIGN(
      const auto given,
      read_certificate(given_dir_ / (published.partition + std::string(kPublishedSuffix)), pool_));
  if (given && given->partial) return false;
  const uint64_t first_lsn =
      given ? std::min(given->first_lsn, published.first_lsn) : published.first_lsn;
  if (!can_tell(published.partition, first_lsn, published.close_lsn)) return false;
  const bool is_told = given && given->close_lsn == published.close_lsn;
  auto found = difference(published, given);
  if (!found) return is_told;
  if (can_tell(published.partition, first_lsn, given ? given->close_lsn : 0)) {
    findings.add(std::move(*found));
  }
  return false;
}

std::optional<std::string> LogComparison::difference(
    const Certificate& published, const std::optional<Certificate>& given) const {
  if (!given) return "the log gives no row of it";
  if (given->close_lsn == published.close_lsn) return difference_of_contents(published, *given);
  const bool is_pending = given->close_lsn > published.close_lsn &&
                          (given->close_lsn > settled_lsn_ || pending_.contains(given->partition));
  if (is_pending) return std::nullopt;
  return fmt::format("by the log record {} has closed it, and not record {}", given->close_lsn,
                     published.close_lsn);
}

bool LogComparison::is_due(const ManifestEntry& given) const {
  return !given.partial && given.close_lsn <= settled_lsn_ &&
         can_tell(given.partition(), given.first_lsn, given.close_lsn) &&
         !pending_.contains(given.partition());
}

}  // namespace tapeworks::recorder
