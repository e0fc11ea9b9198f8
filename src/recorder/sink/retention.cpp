#include "recorder/sink/retention.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "recorder/sink/recording_path.h"
#include "storage/posix_file.h"

namespace tapeworks::recorder {
namespace fs = std::filesystem;
namespace {

/// Lists to read in one step, when the size of a long recording is added up for the first time.
constexpr size_t kListsPerStep = 64;

bool is_of_hour(const std::string& list) { return !list.ends_with(kTablesList); }

}  // namespace

Status Retention::delete_hour(const std::string& list, const std::vector<ManifestEntry>& files,
                              RecordingManifest& manifest, const fs::path& scratch) {
  for (const ManifestEntry& file : files) {
    const fs::path path = output_dir_ / file.path;
    TW_TRY(remove_file(path));
    // The folders of a day and of a symbol go with their last file.
    for (fs::path folder = path.parent_path(); folder != output_dir_;
         folder = folder.parent_path()) {
      TW_TRY(remove_empty_folder(folder));
    }
    counts_.bytes += file.byte_count;
  }
  TW_TRY(manifest.remove_list(list, scratch));
  counts_.files += files.size();
  ++counts_.hours;
  hour_bytes_.erase(list);
  return {};
}

Result<bool> Retention::step(const RetentionLimits& limits, RecordingManifest& manifest,
                             const std::function<bool(const std::string&)>& is_in_use,
                             const fs::path& scratch) {
  if (!limits.deletes()) return false;
  TW_ASSIGN(const auto top, read_manifest_top(output_dir_));
  if (!top) return false;
  uint64_t total_bytes = 0;
  if (limits.bytes_max != 0) {
    size_t read_count = 0;
    for (const std::string& list : top->lists) {
      if (!is_of_hour(list)) continue;
      auto known = hour_bytes_.find(list);
      if (known == hour_bytes_.end()) {
        if (read_count++ == kListsPerStep) return true;
        TW_ASSIGN(const auto files, read_manifest_list(output_dir_, list));
        uint64_t bytes = 0;
        if (files) {
          for (const ManifestEntry& file : *files) bytes += file.byte_count;
        }
        known = hour_bytes_.emplace(list, bytes).first;
      }
      total_bytes += known->second;
    }
  }
  const bool is_too_large = limits.bytes_max != 0 && total_bytes > limits.bytes_max;
  // Sorted, so the oldest comes first.
  for (const std::string& list : top->lists) {
    if (!is_of_hour(list)) continue;
    TW_ASSIGN(const auto files, read_manifest_list(output_dir_, list));
    // A crash came between the list and its name.
    if (!files || files->empty()) {
      TW_TRY(delete_hour(list, {}, manifest, scratch));
      return true;
    }
    const auto time = parse_partition_time(files->front().partition());
    const bool is_old = time && time->end_ns < limits.before_ns;
    if (!is_old && !is_too_large && !limits.makes_room) return false;
    const bool stays = std::ranges::any_of(*files, [&](const ManifestEntry& file) {
      return manifest_list_of(file.partition()) != list || is_in_use(file.partition());
    });
    // A newer one does not go first.
    if (stays) return false;
    TW_TRY(delete_hour(list, *files, manifest, scratch));
    return true;
  }
  return false;
}

}  // namespace tapeworks::recorder
