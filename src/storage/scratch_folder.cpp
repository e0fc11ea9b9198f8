#include "storage/scratch_folder.h"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>

namespace tapeworks {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kPrefix = "tapeworks-scratch-";

/// Between making a folder and locking it nothing tells that somebody uses it.
constexpr std::chrono::minutes kAgeMin{1};

Result<FileDescriptor> lock_folder(const fs::path& folder) {
  TW_ASSIGN(FileDescriptor descriptor, open_file(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (::flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0) {
    return io_error("{}: somebody else has it", folder.string());
  }
  return descriptor;
}

/// Those of processes that are gone: nobody has them locked. What cannot be removed, because it is
/// another user's, stays.
void remove_abandoned(const fs::path& parent) {
  std::error_code error;
  for (fs::directory_iterator entry(parent, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    if (!entry->path().filename().string().starts_with(kPrefix)) continue;
    std::error_code unknown;
    const auto age = fs::file_time_type::clock::now() - entry->last_write_time(unknown);
    if (unknown || age < kAgeMin) continue;
    if (const auto lock = lock_folder(entry->path()); lock) fs::remove_all(entry->path(), unknown);
  }
}

}  // namespace

Result<ScratchFolder> ScratchFolder::make(const fs::path& parent) {
  std::error_code error;
  const auto base = parent.empty() ? fs::temp_directory_path(error) : parent;
  if (!error) remove_abandoned(base);
  std::string name = (base / (std::string(kPrefix) + "XXXXXX")).string();
  if (error || ::mkdtemp(name.data()) == nullptr) {
    return io_error("{}: cannot make a folder for temporary data: {}; name another --temp-dir",
                    base.string(), error ? error.message() : std::strerror(errno));
  }
  TW_ASSIGN(FileDescriptor lock, lock_folder(name));
  return ScratchFolder(name, std::move(lock));
}

ScratchFolder::~ScratchFolder() {
  std::error_code error;
  if (!path_.empty()) fs::remove_all(path_, error);
}

}  // namespace tapeworks
