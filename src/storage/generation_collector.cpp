#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <set>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>

#include "base/messages.h"
#include "storage/generation_tree_internal.h"

namespace tapeworks {
namespace fs = std::filesystem;
namespace {

bool is_consistent(const fs::path& generation) {
  const auto manifest = read_manifest(generation);
  return manifest && manifest->consistent();
}

std::set<uint64_t> numbers_to_keep(const DataDirectory& directory,
                                   const std::vector<uint64_t>& numbers, uint64_t current,
                                   std::optional<uint64_t> previous) {
  std::set<uint64_t> keep{current};
  if (previous) keep.insert(*previous);
  const auto below_current = std::ranges::lower_bound(numbers, current);
  if (below_current != numbers.begin()) keep.insert(*(below_current - 1));
  for (auto number = numbers.rbegin(); number != numbers.rend(); ++number) {
    if (!is_consistent(directory.generation(*number))) continue;
    keep.insert(*number);
    break;
  }
  return keep;
}

bool was_current_within(const fs::path& manifest, std::chrono::milliseconds duration) {
  std::error_code error;
  const auto last_current = fs::last_write_time(manifest, error);
  if (error) return true;
  const auto age = fs::file_time_type::clock::now() - last_current;
  return std::chrono::duration_cast<std::chrono::milliseconds>(age) < duration;
}

/// A folder without manifest is left alone: it was never published, so it is not ours to judge.
Status remove_if_unused(const DataDirectory& directory, uint64_t number,
                        std::chrono::milliseconds keep_for) {
  const fs::path generation = directory.generation(number);
  const fs::path manifest_path = generation / kManifestName;
  std::error_code error;
  if (!fs::exists(manifest_path, error)) return {};
  TW_ASSIGN(const FileDescriptor manifest, open_file(manifest_path, O_RDONLY));
  if (was_current_within(manifest_path, keep_for)) return {};
  TW_ASSIGN(const LockOutcome outcome, lock_file(manifest, LOCK_EX | LOCK_NB, manifest_path));
  if (outcome != LockOutcome::kLocked) return {};
  // Under a name that readers do not use, so that nobody sees half of it, and that the next writer
  // removes should this one end here.
  const fs::path partial = directory.partial_generation(number);
  if (::rename(generation.c_str(), partial.c_str()) != 0) {
    return system_error("rename", generation, errno);
  }
  return remove_tree(partial);
}

}  // namespace

void collect_generations(const DataDirectory& directory, uint64_t current,
                         std::optional<uint64_t> previous, std::chrono::milliseconds keep_for) {
  const auto numbers = generation_numbers(directory);
  if (!numbers) {
    warn("old generations stay: {}", numbers.error().message);
    return;
  }
  const std::set<uint64_t> keep = numbers_to_keep(directory, *numbers, current, previous);
  for (const uint64_t number : *numbers) {
    if (keep.contains(number)) continue;
    if (const Status status = remove_if_unused(directory, number, keep_for); !status) {
      warn("an old generation stays: {}", status.error().message);
    }
  }
}

}  // namespace tapeworks
