#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>

namespace tapeworks {

inline constexpr uint64_t kNoMemoryLimit = std::numeric_limits<uint64_t>::max();

/// The memory limit of the control group that this process is in, or of one around it if that is
/// lower; kNoMemoryLimit when there is none. Version 2 and version 1 (cgroups(7)).
///
/// `root` is where /proc and /sys are looked for. Threads: any.
uint64_t cgroup_memory_limit_bytes(const std::filesystem::path& root = "/");

}  // namespace tapeworks
