#include <algorithm>
#include <ranges>
#include <system_error>

#include "base/messages.h"
#include "recorder/sink/sink.h"
#include "storage/parquet_read.h"
#include "storage/posix_file.h"

namespace tapeworks::recorder {
namespace fs = std::filesystem;
namespace {

constexpr const char* kReplayPartsName = ".replay-parts";

/// The checkpoint, if there is one that can be used; what cannot is set aside, because the log and
/// the parts are enough to go on.
Result<std::optional<Checkpoint>> read_checkpoint(const fs::path& path, PartFolder& parts,
                                                  const SinkOptions& options) {
  std::error_code error;
  if (!fs::exists(path, error)) return std::nullopt;
  TW_ASSIGN(const std::string bytes, read_text_file(path));
  auto checkpoint = decode_checkpoint(bytes, options.rules.dedupe_window_rows);
  if (checkpoint && checkpoint->layout != options.layout) {
    return invalid_argument("{}: this recording has the layout '{}', not '{}'; use another folder",
                            options.output_dir.string(), name_of(checkpoint->layout),
                            name_of(options.layout));
  }
  if (checkpoint) return std::move(*checkpoint);
  if (checkpoint.error().kind != ErrorKind::kCorrupt) {
    return std::unexpected(std::move(checkpoint.error()));
  }
  TW_TRY(parts.set_aside(path));
  return std::nullopt;
}

/// What the footer of a part names; nothing when it is damaged.
Result<std::optional<std::string>> read_partition(const fs::path& part, arrow::MemoryPool* pool) {
  const auto info = read_parquet_info(part, pool);
  if (!info) {
    if (info.error().kind == ErrorKind::kCorrupt) return std::nullopt;
    return std::unexpected(info.error());
  }
  const auto partition = info->metadata.find(kPartitionKey);
  if (partition == info->metadata.end()) return std::nullopt;
  return partition->second;
}

/// Two symbols may differ in case only.
Status check_case(const fs::path& folder) {
  const fs::path probe = folder / "case_probe";
  TW_TRY(replace_text_file(probe, folder / "case_probe.tmp", ""));
  std::error_code error;
  const bool is_folded = fs::exists(folder / "CASE_PROBE", error);
  TW_TRY(remove_file(probe));
  if (!is_folded) return {};
  return invalid_argument(
      "{}: this file system does not distinguish upper and lower case, so two "
      "symbols could share a file; choose another place",
      folder.string());
}

}  // namespace

Result<std::unique_ptr<Sink>> Sink::open(SinkOptions options, arrow::MemoryPool* pool) {
  const fs::path parts_dir =
      options.output_dir / (options.replay ? kReplayPartsName : kPartsFolder);
  // What refuses comes first, so that nothing is left of it.
  TW_TRY(RecordingManifest(options.output_dir, options.layout, pool).check());
  std::optional<LogLock> recorder_lock;
  std::error_code error;
  if (options.replay && fs::exists(options.output_dir / kPartsFolder, error)) {
    TW_ASSIGN(recorder_lock, LogLock::acquire(options.output_dir / kPartsFolder));
  }
  TW_TRY(make_folders(parts_dir));
  TW_ASSIGN(LogLock lock, LogLock::acquire(parts_dir));
  if (options.replay) {
    // What an interrupted replay left; the lock file goes too, but its lock stays ours.
    TW_TRY(remove_tree(parts_dir));
    TW_TRY(make_folders(parts_dir));
    TW_ASSIGN(lock, LogLock::acquire(parts_dir));
  }
  TW_TRY(check_case(parts_dir));
  TW_ASSIGN(PartFolder parts, PartFolder::open(parts_dir, options.probe));
  std::optional<Checkpoint> checkpoint;
  if (!options.replay) {
    TW_ASSIGN(checkpoint, read_checkpoint(parts_dir / kCheckpointFile, parts, options));
  }
  LogState state = checkpoint ? std::move(checkpoint->state) : LogState(options.rules);
  std::unique_ptr<Sink> sink(new Sink(std::move(options), parts_dir, std::move(lock),
                                      std::move(recorder_lock), std::move(parts), std::move(state),
                                      pool));
  // If it is damaged, this is when it is made again.
  TW_TRY(sink->manifest_.read_top(sink->parts_.unfinished_path("manifest")));
  if (checkpoint) TW_TRY(sink->restore(std::move(*checkpoint)));
  TW_TRY(sink->find_orphans());
  return sink;
}

Status Sink::restore(Checkpoint checkpoint) {
  checkpoint_lsn_ = state_.lsn;
  next_snapshot_ns_ = state_.log_time_ns + options_.checkpoint_interval_ns;
  for (OpenPartition& open : checkpoint.partitions) TW_TRY(add_partition(std::move(open)));
  for (MergeJob& job : checkpoint.jobs) {
    const TableKind table = job.table;
    merges_.push_back({std::move(job), RowBuffer(table, chunks_)});
  }
  return {};
}

/// The partition of the parts with this hash, as the first one says. One that cannot be read is set
/// aside if its rows are published.
Result<std::string> Sink::partition_of_parts(uint64_t hash) {
  std::string partition;
  while (true) {
    const auto parts = parts_.parts_of_hash(hash);
    if (parts.empty()) return partition;
    const PartFolder::Listed& first = parts.front();
    TW_ASSIGN(auto named, read_partition(first.path, pool_));
    if (named) return std::move(*named);
    TW_ASSIGN(named, find_partition(hash));
    std::optional<Certificate> certificate;
    if (named) {
      TW_ASSIGN(certificate, published(*named));
    }
    const bool is_published = certificate && certificate->first_lsn <= first.range.first_lsn &&
                              first.range.last_lsn <= certificate->last_lsn;
    if (!is_published) {
      return corrupt(
          "{}: this part cannot be read; move it away, and the log is read again from "
          "its beginning on if the checkpoint beside it is moved away too",
          first.path.string());
    }
    TW_ASSIGN(const fs::path aside, parts_.set_aside_part(first));
    warn("{}: this part cannot be read and was moved to {}; its rows are in {}, nothing is to do",
         first.path.string(), aside.string(), file_path(*named).string());
    partition = std::move(*named);
  }
}

/// Who knows the name of a partition but its first part: other parts, the checkpoint, the manifest.
Result<std::optional<std::string>> Sink::find_partition(uint64_t hash) {
  for (const PartFolder::Listed& part : parts_.parts_of_hash(hash)) {
    TW_ASSIGN(auto named, read_partition(part.path, pool_));
    if (named) return named;
  }
  for (const auto& [path, partition] : partitions_) {
    if (PartFolder::hash_of(path) == hash) return path;
  }
  for (const PendingMerge& merge : merges_) {
    if (PartFolder::hash_of(merge.job.partition) == hash) return merge.job.partition;
  }
  TW_ASSIGN(const ManifestTop top, manifest_.read_top(parts_.unfinished_path("manifest")));
  for (const std::string& list : std::views::reverse(top.lists)) {
    const auto entries = read_manifest_list(options_.output_dir, list);
    if (!entries || !*entries) continue;
    for (const ManifestEntry& entry : **entries) {
      if (PartFolder::hash_of(entry.partition()) == hash) return entry.partition();
    }
  }
  return std::nullopt;
}

/// Parts that are in a published file are removed after a while, as if this sink had merged them.
/// The others belong to partitions that the log will bring up again; see adopt_orphans().
Status Sink::find_orphans() {
  for (const uint64_t hash : parts_.hashes()) {
    TW_ASSIGN(const std::string partition, partition_of_parts(hash));
    const auto parts = parts_.parts_of(partition);
    if (parts.empty()) continue;
    TW_ASSIGN(const auto certificate, published(partition));
    if (certificate && certificate->last_lsn >= parts.front().last_lsn) {
      removals_.push_back(
          {partition, certificate->last_lsn, state_.log_time_ns + options_.parts_linger_ns});
    }
    const bool is_published = certificate && certificate->last_lsn >= parts.back().last_lsn;
    const bool is_waiting = std::ranges::any_of(
        merges_, [&](const PendingMerge& merge) { return merge.job.partition == partition; });
    if (is_published || is_waiting || partitions_.contains(partition)) continue;
    orphans_[partition] = parts.back().last_lsn;
    orphans_until_lsn_ = std::max(orphans_until_lsn_, parts.back().last_lsn);
  }
  return {};
}

/// The log has been read past all parts that were found, and did not bring these up: it has lost
/// the records they were made of. They are published like others.
Status Sink::adopt_orphans(uint64_t lsn) {
  current_lsn_ = lsn;
  const auto orphans = std::move(orphans_);
  orphans_.clear();
  for (const auto& [path, last_lsn] : orphans) {
    const auto time = parse_partition_time(path);
    if (!time) {
      return corrupt("{}: the parts of '{}' name no file of a recording; move them away",
                     parts_dir_.string(), path);
    }
    OpenPartition open;
    open.path = path;
    open.table = time->table;
    open.begin_ns = time->begin_ns;
    open.end_ns = time->end_ns;
    open.has_new_rows = true;
    open.close_time_ns = next_close_time(open);
    TW_TRY(add_partition(std::move(open)));
  }
  return {};
}

Sink::Snapshot Sink::make_snapshot() const {
  std::vector<const OpenPartition*> partitions;
  for (const auto& [path, partition] : partitions_) partitions.push_back(&partition->open);
  std::vector<const MergeJob*> jobs;
  for (const PendingMerge& merge : merges_) jobs.push_back(&merge.job);
  return {state_.lsn, encode_checkpoint(options_.layout, state_, partitions, jobs)};
}

/// Rows up to here are in parts or files.
uint64_t Sink::durable_rows_lsn() const {
  uint64_t durable = state_.lsn;
  const auto hold_back = [&](const RowBuffer& rows) {
    if (!rows.empty()) durable = std::min(durable, rows.first_lsn() - 1);
  };
  for (const auto& [path, partition] : partitions_) hold_back(partition->buffer);
  for (const PendingMerge& merge : merges_) hold_back(merge.rest);
  return durable;
}

Status Sink::write_checkpoint(const Snapshot& snapshot) {
  TW_TRY(parts_.sync());
  TW_TRY(probe("write checkpoint"));
  TW_TRY(replace_text_file(parts_dir_ / kCheckpointFile, parts_.unfinished_path(kCheckpointFile),
                           snapshot.bytes));
  checkpoint_lsn_ = snapshot.lsn;
  return probe("checkpoint written");
}

uint64_t Sink::highest_known_lsn() const { return std::max(state_.lsn, parts_.highest_lsn()); }

uint64_t Sink::releasable_lsn() const {
  uint64_t releasable = checkpoint_lsn_;
  // Parts linger after they were published.
  std::map<std::string_view, uint64_t> published_lsns;
  for (const Removal& removal : removals_) {
    uint64_t& lsn = published_lsns[removal.partition];
    lsn = std::max(lsn, removal.last_lsn);
  }
  const auto hold_back = [&](const std::string& partition) {
    const auto found = published_lsns.find(partition);
    const uint64_t published_lsn = found == published_lsns.end() ? 0 : found->second;
    const auto parts = parts_.parts_of(partition);
    const auto first = std::ranges::upper_bound(parts, published_lsn, {}, &PartRange::last_lsn);
    if (first != parts.end()) releasable = std::min(releasable, first->first_lsn - 1);
  };
  for (const auto& [path, partition] : partitions_) hold_back(path);
  for (const PendingMerge& merge : merges_) hold_back(merge.job.partition);
  for (const auto& [path, last_lsn] : orphans_) hold_back(path);
  return releasable;
}

}  // namespace tapeworks::recorder
