#include "recorder/sink/retention.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "base/messages.h"
#include "recorder/sink/recording_path.h"
#include "storage/posix_file.h"

namespace tapeworks::recorder {
namespace fs = std::filesystem;
namespace {

/// Lists to read in one step, when a long recording is looked at for the first time.
constexpr size_t kListsPerStep = 64;

bool is_of_hour(const std::string& list) { return !list.ends_with(kTablesList); }

}  // namespace

bool Retention::Hour::is_old(const RetentionLimits& limits) const {
  return std::ranges::any_of(
      exchanges, [&](const auto& exchange) { return end_ns < limits.before_ns_of(exchange); });
}

/// The files of an hour, none when there is no list any more; nothing when that is damaged.
Result<std::optional<std::vector<ManifestEntry>>> Retention::read_list(const std::string& list) {
  auto files = read_manifest_list(output_dir_, list);
  if (files) return files->value_or(std::vector<ManifestEntry>());
  if (files.error().kind != ErrorKind::kCorrupt) return std::unexpected(std::move(files.error()));
  warn(
      "{}: this list is damaged, so retention keeps the files of its hour; make it again with "
      "tapeworks replay, or delete its files by hand",
      manifest_list_path(output_dir_, list).string());
  return std::nullopt;
}

/// True when there are more to look at.
Result<bool> Retention::look_at(const std::vector<std::string>& lists) {
  size_t read_count = 0;
  for (const std::string& list : lists) {
    if (!is_of_hour(list) || hours_.contains(list)) continue;
    if (read_count++ == kListsPerStep) return true;
    TW_ASSIGN(const auto files, read_list(list));
    Hour hour;
    hour.is_damaged = !files;
    for (const ManifestEntry& file : files.value_or(std::vector<ManifestEntry>())) {
      hour.bytes += file.byte_count;
      hour.exchanges.emplace(exchange_of(file.path));
      if (const auto time = parse_partition_time(file.partition())) hour.end_ns = time->end_ns;
    }
    hours_.emplace(list, std::move(hour));
  }
  return false;
}

Status Retention::delete_files(const std::vector<ManifestEntry>& files) {
  for (const ManifestEntry& file : files) {
    const fs::path path = output_dir_ / file.path;
    TW_TRY(remove_file(path));
    // The folders of a day and of a symbol go with their last file.
    for (fs::path folder = path.parent_path(); folder != output_dir_;
         folder = folder.parent_path()) {
      TW_TRY(remove_empty_folder(folder));
    }
    counts_.bytes += file.byte_count;
    if (const auto time = parse_partition_time(file.partition())) {
      int64_t& to_ns = deleted_to_ns_[std::string(exchange_of(file.path))];
      to_ns = std::max(to_ns, time->end_ns);
    }
  }
  counts_.files += files.size();
  return {};
}

bool Retention::has_deleted(std::string_view partition) const {
  const auto deleted = deleted_to_ns_.find(exchange_of(partition));
  const auto time = parse_partition_time(partition);
  return deleted != deleted_to_ns_.end() && time && time->end_ns <= deleted->second;
}

Result<bool> Retention::step(const RetentionLimits& limits, RecordingManifest& manifest,
                             const std::function<bool(const std::string&)>& is_in_use,
                             const fs::path& scratch) {
  if (!limits.deletes()) return false;
  TW_ASSIGN(const ManifestTop top, manifest.read_top(scratch));
  TW_ASSIGN(const bool has_more, look_at(top.lists));
  if (has_more) return true;
  uint64_t total_bytes = 0;
  for (const std::string& list : top.lists) {
    if (is_of_hour(list) && hours_.at(list).may_go()) total_bytes += hours_.at(list).bytes;
  }
  const bool is_too_large = limits.bytes_max != 0 && total_bytes > limits.bytes_max;
  const bool goes_whole = is_too_large || limits.makes_room;
  // Sorted, so the oldest comes first.
  for (const std::string& list : top.lists) {
    if (!is_of_hour(list)) continue;
    const Hour& hour = hours_.at(list);
    if (!hour.may_go()) continue;
    const bool is_left_over = hour.exchanges.empty();
    if (!goes_whole && !is_left_over && !hour.is_old(limits)) continue;
    TW_ASSIGN(auto files, read_list(list));
    if (!files) {
      hours_[list].is_damaged = true;
      continue;
    }
    std::vector<ManifestEntry> going = std::move(*files);
    const size_t file_count = going.size();
    if (!goes_whole) {
      std::erase_if(going, [&](const ManifestEntry& file) {
        return hour.end_ns >= limits.before_ns_of(exchange_of(file.path));
      });
    }
    const bool stays = std::ranges::any_of(going, [&](const ManifestEntry& file) {
      return manifest_list_of(file.partition()) != list || is_in_use(file.partition());
    });
    // A newer one does not go first.
    if (stays) return false;
    TW_TRY(delete_files(going));
    if (going.size() == file_count) {
      TW_TRY(manifest.remove_list(list, scratch));
      ++counts_.hours;
    } else {
      TW_TRY(manifest.remove_files(list, going, scratch));
    }
    hours_.erase(list);
    return true;
  }
  return false;
}

}  // namespace tapeworks::recorder
