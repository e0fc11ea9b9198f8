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

constexpr std::string_view kPrefix = "tapeworks-temporary-";
/// Locked while its folder is in use. A file, because folders of a network have no locks.
constexpr const char* kLockFile = "in_use.lock";

/// Between making a folder and locking it nothing tells that somebody uses it.
constexpr std::chrono::minutes kAgeMin{1};

/// Those of processes that are gone: nobody has them locked. Where there are no locks nothing is
/// known, and what cannot be removed is another user's: both stay.
void remove_abandoned(const fs::path& parent) {
  std::error_code error;
  for (fs::directory_iterator entry(parent, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    if (!entry->path().filename().string().starts_with(kPrefix)) continue;
    std::error_code unknown;
    const auto age = fs::file_time_type::clock::now() - entry->last_write_time(unknown);
    if (unknown || age < kAgeMin) continue;
    const fs::path lock_path = entry->path() / kLockFile;
    const auto lock = open_file(lock_path, O_RDWR | O_NOFOLLOW);
    if (!lock) continue;
    const auto outcome = lock_file(*lock, LOCK_EX | LOCK_NB, lock_path);
    if (outcome && *outcome == LockOutcome::kLocked) fs::remove_all(entry->path(), unknown);
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
  // From here on it goes if something fails.
  ScratchFolder scratch{fs::path(name)};
  const fs::path lock_path = scratch.path_ / kLockFile;
  TW_ASSIGN(scratch.lock_, create_file(lock_path));
  TW_TRY(lock_file(scratch.lock_, LOCK_EX | LOCK_NB, lock_path));
  return scratch;
}

ScratchFolder::~ScratchFolder() {
  std::error_code error;
  if (!path_.empty()) fs::remove_all(path_, error);
}

}  // namespace tapeworks
