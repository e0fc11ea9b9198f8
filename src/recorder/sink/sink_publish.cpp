#include <algorithm>
#include <chrono>
#include <system_error>

#include "base/messages.h"
#include "recorder/sink/recording_repair.h"
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
  return options_.output_dir / (partition + std::string(kPublishedSuffix));
}

/// What is published of a partition, as far as it counts: for a replay only what it made itself.
Result<std::optional<Certificate>> Sink::published(const std::string& partition) {
  if (options_.replay) {
    const auto made = made_.find(partition);
    if (made == made_.end()) return std::nullopt;
    return made->second;
  }
  auto certificate = read_certificate(file_path(partition), pool_);
  if (certificate || certificate.error().kind != ErrorKind::kCorrupt) return certificate;
  TW_TRY(set_aside_published(partition));
  return std::nullopt;
}

/// A file that is damaged. Of its rows those are made again that parts or the log still have.
Status Sink::set_aside_published(const std::string& partition) {
  const fs::path path = file_path(partition);
  TW_ASSIGN(const fs::path aside, set_aside_damaged(options_.output_dir, path));
  ++counts_.set_aside_files;
  if (options_.replay) {
    warn("{}: this file is damaged and was moved to {}; the replay makes it again", path.string(),
         aside.string());
    return {};
  }
  // Parts that linger have some of them.
  std::erase_if(removals_, [&](const Removal& removal) { return removal.partition == partition; });
  lost_.insert(partition);
  TW_ASSIGN(const auto entry, manifest_.entry_of(partition, parts_.unfinished_path("manifest")));
  const std::string rows = entry ? fmt::format(" of {} rows", entry->row_count) : "";
  warn(
      "{}: this published file{} is damaged and was moved to {}; make it again with tapeworks "
      "replay while the log is kept, until then a file that replaces it is marked partial",
      path.string(), rows, aside.string());
  return {};
}

/// The revision of a file that was published and is not there any more, or is damaged: the manifest
/// remembers it, also after a crash. Nothing when there was none; 0 when nobody knows.
Result<std::optional<uint32_t>> Sink::lost_revision(const std::string& partition) {
  if (options_.replay) return std::nullopt;
  TW_ASSIGN(const auto entry, manifest_.entry_of(partition, parts_.unfinished_path("manifest")));
  if (!entry && !lost_.contains(partition)) return std::nullopt;
  if (lost_.insert(partition).second) {
    warn(
        "{}: this published file of {} rows is gone; what replaces it is marked partial, until it "
        "is made again with tapeworks replay while the log is kept",
        file_path(partition).string(), entry->row_count);
  }
  return entry ? entry->revision : 0;
}

Result<bool> Sink::work() {
  TW_TRY(remove_due_parts());
  if (merge_) {
    const auto has_more = merge_->step();
    if (!has_more) {
      TW_TRY(begin_again_without_previous(has_more.error()));
      return true;
    }
    if (*has_more) return true;
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

/// Whether the rows of a published file are damaged shows only when they are read.
Status Sink::begin_again_without_previous(const Error& error) {
  const bool is_damaged =
      merge_->reads_previous() && error.kind == ErrorKind::kCorrupt && !options_.replay;
  if (!is_damaged) return std::unexpected(error);
  TW_TRY(remove_file(merge_->unfinished()));
  merge_.reset();
  return set_aside_published(merges_.front().job.partition);
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
  if (!previous) {
    TW_ASSIGN(const auto revision, lost_revision(job.partition));
    inputs.lost_revision = revision.value_or(0);
    job.partial |= revision.has_value();
  }
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
    auto read = read_certificate(file_path(job.partition), pool_);
    if (!read && read.error().kind == ErrorKind::kCorrupt) {
      TW_TRY(set_aside_published(job.partition));
      read = std::nullopt;
    }
    TW_ASSIGN(const auto present, std::move(read));
    // Later records than those that are read have added to an hour that was over: fetched trades.
    const bool has_later_rows = present && present->last_lsn > options_.last_lsn;
    if (present && !present->partial && (is_doubtful || has_later_rows)) {
      if (kept_.insert(job.partition).second) ++counts_.kept_files;
      return {};
    }
  }
  TW_TRY(probe("begin file"));
  auto merge = FileMerge::begin(job, std::move(inputs), parts_.unfinished_path("merge"),
                                part_reader_, merge_writer_);
  // Of its inputs the merge has only opened that file.
  if (!merge && previous && merge.error().kind == ErrorKind::kCorrupt && !options_.replay) {
    TW_TRY(set_aside_published(job.partition));
    return begin_merge();
  }
  TW_ASSIGN(merge_, std::move(merge));
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
  lost_.erase(outcome.certificate.partition);
  if (options_.replay) made_[outcome.certificate.partition] = outcome.certificate;
  ++counts_.published_files;
  removals_.push_back({outcome.certificate.partition, outcome.certificate.last_lsn,
                       state_.log_time_ns + options_.parts_linger_ns});
  return {};
}

/// A file that was published before; the manifest may not have heard of it.
Status Sink::note_published(const Certificate& certificate) {
  TW_ASSIGN(const bool is_known, manifest_.knows(certificate, parts_.unfinished_path("manifest")));
  if (!is_known) {
    const fs::path path = file_path(certificate.partition);
    TW_TRY(sync_folder(path.parent_path()));
    TW_ASSIGN(const WrittenFile written, measure_file(path, certificate));
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
