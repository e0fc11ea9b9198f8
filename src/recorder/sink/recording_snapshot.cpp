#include "recorder/sink/recording_snapshot.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>
#include <system_error>
#include <thread>
#include <unordered_map>

#include <fcntl.h>
#include <fmt/format.h>

#include "base/interrupt.h"
#include "base/messages.h"
#include "recorder/sink/checkpoint.h"
#include "recorder/sink/log_tail.h"
#include "recorder/sink/part_folder.h"
#include "recorder/sink/recording_manifest.h"
#include "storage/log_segment_file.h"
#include "storage/parquet_read.h"

namespace tapeworks::recorder {
namespace fs = std::filesystem;
namespace {

using namespace std::chrono_literals;

constexpr int kAttemptsMax = 5;
constexpr auto kAttemptPause = 200ms;
constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

/// Up to where rows are in files and parts, and what was known there.
struct TailBegin {
  uint64_t lsn = kNoLimit;        ///< kNoLimit: nobody says
  std::optional<LogState> state;  ///< none: the log is not read
};

/// One attempt. Nothing when a recorder has taken away what was to be read.
class SnapshotTaker {
 public:
  SnapshotTaker(const SnapshotOptions& options, arrow::MemoryPool* pool)
      : options_(options), parts_dir_(options.output_dir / kPartsFolder), pool_(pool) {}

  Result<std::optional<RecordingSnapshot>> take(bool accepts_holes) {
    // The order matters: what goes from one place to the next meanwhile is met again in the later.
    TW_ASSIGN(TailBegin begin, find_tail_begin());
    snapshot_.checkpoint_lsn = begin.lsn;
    TW_ASSIGN(std::vector<PartFolder::Listed> parts, PartFolder::list_parts(parts_dir_));
    TW_ASSIGN(const std::vector<Held> held, hold(parts));
    TW_TRY(read_manifest());
    TW_ASSIGN(const bool are_all_there, take_parts(held));
    if (!are_all_there) return std::nullopt;
    snapshot_.last_lsn = begin.lsn == kNoLimit ? highest_lsn_ : begin.lsn;
    if (!begin.state) return std::move(snapshot_);
    TW_ASSIGN(const auto tail, read_log_tail({.log_dir = options_.log_dir,
                                              .after_lsn = begin.lsn,
                                              .scratch_dir = options_.scratch_dir,
                                              .buffer_bytes = options_.buffer_bytes,
                                              .accepts_holes = accepts_holes},
                                             std::move(*begin.state), pool_));
    if (!tail) return std::nullopt;
    snapshot_.last_lsn = std::max(begin.lsn, tail->last_lsn);
    snapshot_.tail_rows = tail->row_count;
    snapshot_.lost_records = tail->lost_records;
    for (const auto& [table, path] : tail->files) {
      snapshot_.of(table).tail.push_back({path.string(), snapshot_.last_lsn});
    }
    return std::move(snapshot_);
  }

 private:
  /// A part with the descriptor that keeps it. None: it is gone.
  struct Held {
    PartFolder::Listed part;
    std::optional<std::string> path;
  };

  Result<TailBegin> find_tail_begin() const {
    std::error_code error;
    TailBegin begin;
    const fs::path path = parts_dir_ / kCheckpointFile;
    if (fs::exists(path, error)) {
      TW_ASSIGN(const std::string bytes, read_text_file(path));
      auto checkpoint = decode_checkpoint(bytes, std::nullopt);
      if (!checkpoint) {
        return fail(checkpoint.error().kind, "{}: {}; start the recorder, which makes it again",
                    path.string(), checkpoint.error().message);
      }
      begin.lsn = checkpoint->state.lsn;
      if (!options_.log_dir.empty()) begin.state = std::move(checkpoint->state);
      return begin;
    }
    if (options_.log_dir.empty()) return begin;
    // A young recorder has no checkpoint, and its log is whole.
    TW_ASSIGN(const auto first_lsn, first_lsn_of_log(options_.log_dir));
    if (!first_lsn) return begin;
    begin.lsn = *first_lsn - 1;
    begin.state.emplace(RowRules());
    return begin;
  }

  Result<std::vector<Held>> hold(std::vector<PartFolder::Listed>& parts) {
    std::vector<Held> held;
    for (PartFolder::Listed& part : parts) {
      TW_TRY(check_interrupt());
      if (part.range.first_lsn > snapshot_.checkpoint_lsn) continue;
      auto file = open_file(part.path, O_RDONLY);
      std::error_code error;
      if (!file && fs::exists(part.path, error)) return std::unexpected(std::move(file.error()));
      std::optional<std::string> path;
      if (file) {
        path = fmt::format("/proc/self/fd/{}", file->get());
        snapshot_.held.push_back(std::move(*file));
      }
      held.push_back({std::move(part), std::move(path)});
    }
    return held;
  }

  Status read_manifest() {
    TW_ASSIGN(const auto top, read_manifest_top(options_.output_dir));
    if (!top) return {};
    for (const std::string& list : top->lists) {
      TW_TRY(check_interrupt());
      TW_ASSIGN(auto files, read_manifest_list(options_.output_dir, list));
      // Deleted by retention meanwhile.
      if (!files) continue;
      for (ManifestEntry& file : *files) {
        published_[PartFolder::hash_of(file.partition())] = std::move(file);
      }
    }
    return {};
  }

  /// False when a part is gone that no published file has taken up: the picture is of two moments.
  Result<bool> take_parts(const std::vector<Held>& held) {
    std::unordered_map<uint64_t, bool> is_growing;
    for (const Held& one : held) {
      const auto published = published_.find(one.part.hash);
      if (published != published_.end() && one.part.range.last_lsn <= published->second.last_lsn) {
        continue;
      }
      if (!one.path) return false;
      const auto info = read_parquet_info(*one.path, pool_);
      if (!info && info.error().kind != ErrorKind::kCorrupt) return std::unexpected(info.error());
      std::optional<PartitionTime> time;
      if (info && info->metadata.contains(kPartitionKey)) {
        time = parse_partition_time(info->metadata.at(kPartitionKey));
      }
      if (!time) {
        return corrupt("{}: this part is damaged; start the recorder, which says what to do",
                       one.part.path.string());
      }
      snapshot_.of(time->table).parts.push_back({*one.path, snapshot_.checkpoint_lsn});
      highest_lsn_ = std::max(highest_lsn_, one.part.range.last_lsn);
      is_growing[one.part.hash] = true;
    }
    for (const auto& [hash, file] : published_) {
      const auto time = parse_partition_time(file.partition());
      if (!time) continue;
      highest_lsn_ = std::max(highest_lsn_, file.last_lsn);
      // What is above the checkpoint comes from the log.
      if (file.first_lsn > snapshot_.checkpoint_lsn) continue;
      std::error_code error;
      if (!fs::exists(options_.output_dir / file.path, error)) {
        warn(
            "{}: this published file is gone, its rows are missing; make it again with tapeworks "
            "replay while the log is kept",
            (options_.output_dir / file.path).string());
        continue;
      }
      SnapshotTable& table = snapshot_.of(time->table);
      auto& files = is_growing.contains(hash) ? table.growing : table.published;
      files.push_back({(options_.output_dir / file.path).string(),
                       std::min(file.last_lsn, snapshot_.checkpoint_lsn)});
    }
    for (SnapshotTable& table : snapshot_.tables) {
      std::ranges::sort(table.published, {}, &SnapshotFile::path);
    }
    return true;
  }

  const SnapshotOptions& options_;
  fs::path parts_dir_;
  arrow::MemoryPool* pool_;
  RecordingSnapshot snapshot_;
  uint64_t highest_lsn_ = 0;
  std::unordered_map<uint64_t, ManifestEntry> published_;  ///< by hash of the partition
};

}  // namespace

Result<RecordingSnapshot> take_recording_snapshot(const SnapshotOptions& options,
                                                  arrow::MemoryPool* pool) {
  std::error_code error;
  const bool is_recording = fs::exists(options.output_dir / kManifestFile, error) ||
                            fs::is_directory(options.output_dir / kPartsFolder, error);
  if (!is_recording) {
    return invalid_argument("{} holds no recording: there is no {} in it; name the folder of one",
                            options.output_dir.string(), kManifestFile);
  }
  for (int attempt = 1; attempt <= kAttemptsMax; ++attempt) {
    TW_TRY(check_interrupt());
    // What looks like damage at the log's end is most often a write at this moment.
    TW_ASSIGN(auto snapshot, SnapshotTaker(options, pool).take(attempt > kAttemptsMax / 2));
    if (snapshot) return std::move(*snapshot);
    std::this_thread::sleep_for(kAttemptPause);
  }
  return io_error("{}: the recording changed {} times while it was looked at; try again",
                  options.output_dir.string(), kAttemptsMax);
}

}  // namespace tapeworks::recorder
