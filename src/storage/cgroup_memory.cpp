#include "storage/cgroup_memory.h"

#include <algorithm>
#include <fstream>
#include <string>
#include <string_view>

namespace tapeworks {
namespace fs = std::filesystem;
namespace {

/// What the file says; kNoMemoryLimit when it is missing or says "max".
uint64_t limit_in(const fs::path& path) {
  std::ifstream file(path);
  uint64_t bytes = 0;
  return file >> bytes && bytes > 0 ? bytes : kNoMemoryLimit;
}

/// The lowest limit of a group and those around it. Inside a container a group may have a path that
/// is not to be seen; those above it still count.
uint64_t lowest_limit(const fs::path& hierarchy, const fs::path& group, const char* file_name) {
  uint64_t lowest = limit_in(hierarchy / file_name);
  fs::path folder = hierarchy;
  for (const fs::path& name : group.relative_path()) {
    folder /= name;
    lowest = std::min(lowest, limit_in(folder / file_name));
  }
  return lowest;
}

bool is_listed(std::string_view controllers, std::string_view wanted) {
  while (!controllers.empty()) {
    const size_t end = std::min(controllers.find(','), controllers.size());
    if (controllers.substr(0, end) == wanted) return true;
    controllers.remove_prefix(std::min(end + 1, controllers.size()));
  }
  return false;
}

}  // namespace

uint64_t cgroup_memory_limit_bytes(const fs::path& root) {
  const fs::path mounted = root / "sys/fs/cgroup";
  uint64_t lowest = std::min(limit_in(mounted / "memory.max"),
                             limit_in(mounted / "memory/memory.limit_in_bytes"));
  std::ifstream groups(root / "proc/self/cgroup");
  // "ID:CONTROLLERS:PATH"; version 2 has no controllers.
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const auto controllers = std::string_view(line).substr(first + 1, second - first - 1);
    const fs::path group = line.substr(second + 1);
    if (controllers.empty()) {
      lowest = std::min(lowest, lowest_limit(mounted, group, "memory.max"));
      // Where both versions are mounted.
      lowest = std::min(lowest, lowest_limit(mounted / "unified", group, "memory.max"));
    } else if (is_listed(controllers, "memory")) {
      lowest = std::min(lowest, lowest_limit(mounted / "memory", group, "memory.limit_in_bytes"));
    }
  }
  return lowest;
}

}  // namespace tapeworks
