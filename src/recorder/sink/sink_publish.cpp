#include <algorithm>
#include <chrono>
#include <system_error>

#include <fcntl.h>

#include "recorder/sink/sink.h"
#include "storage/heap_memory.h"
#include "storage/posix_file.h"

namespace tapeworks::recorder {
namespace fs = std::filesystem;
namespace {

/// Giving memory back takes some milliseconds.
constexpr auto kHeapReturnInterval = std::chrono::seconds(1);

}  // namespace

fs::path Sink::file_path(const std::string& partition) const {
  return options_.output_dir / (partition + ".parquet");
}

/// What is published of a partition, as far as it counts: for a replay only what it made itself. A
/// file that cannot be read is set aside; the log or a replay makes its rows again.
Result<std::optional<Certificate>> Sink::published(const std::string& partition) {
  if (options_.replay) {
    const auto made = made_.find(partition);
    if (made == made_.end()) return std::nullopt;
    return made->second;
  }
  auto certificate = read_certificate(file_path(partition), pool_);
  if (certificate || certificate.error().kind != ErrorKind::kCorrupt) return certificate;
  TW_TRY(parts_.set_aside(file_path(partition)));
  ++counts_.set_aside_files;
  return std::nullopt;
}

Result<bool> Sink::work() {
  TW_TRY(remove_due_parts());
  if (merge_) {
    TW_ASSIGN(const bool has_more, merge_->step());
    if (has_more) return true;
    TW_TRY(probe("finish file"));
    TW_ASSIGN(const FileMerge::Outcome outcome, merge_->finish());
    TW_TRY(publish(outcome));
    merge_.reset();
    end_merge();
    return true;
  }
  if (merges_.empty()) return false;
  TW_TRY(begin_merge());
  if (!merge_) end_merge();
  return true;
}

/// What merges needed is not kept for those that follow, whose blocks have other sizes: the process
/// would grow by the pieces that lie between.
void Sink::end_merge() {
  merges_.pop_front();
  const auto now = std::chrono::steady_clock::now();
  if (!merges_.empty() && now < next_heap_return_) return;
  next_heap_return_ = now + kHeapReturnInterval;
  return_free_heap();
}

/// Leaves merge_ empty when there is nothing to do for the first job.
Status Sink::begin_merge() {
  PendingMerge& pending = merges_.front();
  MergeJob& job = pending.job;
  TW_TRY(flush_rest(pending));
  orphans_.erase(job.partition);
  TW_ASSIGN(const auto previous, published(job.partition));
  // Before a crash this sink's predecessor came so far already.
  if (previous && previous->close_lsn >= job.close_lsn) return note_published(*previous);
  // What a file lacks does not come any more.
  if (!options_.replay && previous) job.partial |= previous->partial;
  FileMerge::Inputs inputs;
  inputs.previous = previous;
  inputs.previous_path = file_path(job.partition);
  for (const PartRange& range : parts_.parts_of(job.partition)) {
    const bool is_in_file = previous && range.last_lsn <= previous->last_lsn;
    if (is_in_file || range.last_lsn >= job.close_lsn) continue;
    inputs.parts.push_back(parts_.path_of(job.partition, range));
  }
  if (inputs.parts.empty() && (!previous || previous->complete == job.complete)) return {};
  // A log that begins late does not say what earlier records did: which numbers came before, and
  // which connection was down.
  const bool is_doubtful = job.partial || (begins_late_ && !made_.contains(job.partition));
  if (options_.replay) {
    TW_ASSIGN(const auto present, read_certificate(file_path(job.partition), pool_));
    // Later records than those that are read have added to an hour that was over: fetched trades.
    const bool has_later_rows = present && present->last_lsn > options_.last_lsn;
    if (present && !present->partial && (is_doubtful || has_later_rows)) {
      if (kept_.insert(job.partition).second) ++counts_.kept_files;
      return {};
    }
  }
  TW_TRY(probe("begin file"));
  TW_ASSIGN(merge_, FileMerge::begin(job, std::move(inputs), options_.row_group_rows,
                                     parts_.unfinished_path("merge"), part_reader_, merge_writer_));
  return {};
}

/// The order makes every crash harmless: the file has its content before its name, its name before
/// the manifest speaks of it, and its parts go last.
Status Sink::publish(const FileMerge::Outcome& outcome) {
  const fs::path path = file_path(outcome.certificate.partition);
  TW_TRY(make_folders(path.parent_path()));
  TW_TRY(probe("name file"));
  TW_TRY(rename_file(merge_->unfinished(), path));
  TW_TRY(probe("sync folder"));
  TW_TRY(sync_folder(path.parent_path()));
  TW_TRY(probe("write manifest"));
  TW_TRY(manifest_.add(outcome.certificate, outcome.file, parts_.unfinished_path("manifest")));
  TW_TRY(probe("manifest written"));
  retention_.forget(outcome.certificate.partition);
  if (options_.replay) made_[outcome.certificate.partition] = outcome.certificate;
  ++counts_.published_files;
  removals_.push_back({outcome.certificate.partition, outcome.certificate.last_lsn,
                       state_.log_time_ns + options_.parts_linger_ns});
  return {};
}

/// A file that was published before; the manifest may not have heard of it.
Status Sink::note_published(const Certificate& certificate) {
  TW_ASSIGN(const bool is_known, manifest_.knows(certificate));
  if (!is_known) {
    const fs::path path = file_path(certificate.partition);
    TW_TRY(sync_folder(path.parent_path()));
    TW_ASSIGN(const FileDescriptor file, open_file(path, O_RDONLY));
    TW_ASSIGN(const StreamedContent content, hash_content(file, path, nullptr, {}));
    const WrittenFile written{content.byte_count, content.xxh3, certificate.row_count};
    TW_TRY(manifest_.add(certificate, written, parts_.unfinished_path("manifest")));
  }
  removals_.push_back(
      {certificate.partition, certificate.last_lsn, state_.log_time_ns + options_.parts_linger_ns});
  return {};
}

Status Sink::remove_due_parts() {
  while (!removals_.empty() && removals_.front().due_ns <= state_.log_time_ns) {
    const Removal& removal = removals_.front();
    // So that parts and checkpoint together know every LSN that was ever published: should the log
    // be lost, the next one must not use these numbers again.
    if (!options_.replay && checkpoint_lsn_ < removal.last_lsn) return {};
    TW_TRY(parts_.remove_through(removal.partition, removal.last_lsn));
    removals_.pop_front();
  }
  return {};
}

}  // namespace tapeworks::recorder
