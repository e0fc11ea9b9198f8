#include "storage/log_lock.h"

#include <chrono>
#include <system_error>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>

namespace tapeworks {
namespace {

constexpr const char* kLockName = "wal.lock";
/// is_held() takes the lock for a moment, which must not turn a writer away.
constexpr int kAttemptsMax = 20;
constexpr std::chrono::milliseconds kAttemptPause{5};

}  // namespace

Result<LogLock> LogLock::acquire(const std::filesystem::path& folder) {
  const auto path = folder / kLockName;
  TW_ASSIGN(FileDescriptor file, open_file(path, O_RDWR | O_CREAT));
  for (int attempt = 1;; ++attempt) {
    TW_ASSIGN(const LockOutcome outcome, lock_file(file, LOCK_EX | LOCK_NB, path));
    if (outcome == LockOutcome::kLocked) return LogLock(std::move(file));
    if (outcome == LockOutcome::kUnsupported) {
      return io_error(
          "{} is on a file system without locks, so that two writers could not be kept "
          "apart; choose another place for the log",
          folder.string());
    }
    if (attempt == kAttemptsMax) {
      return io_error("{} is in use by another writer; stop it first, or choose another folder",
                      folder.string());
    }
    std::this_thread::sleep_for(kAttemptPause);
  }
}

Result<bool> LogLock::is_held(const std::filesystem::path& folder) {
  const auto path = folder / kLockName;
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return false;
  TW_ASSIGN(const FileDescriptor file, open_file(path, O_RDONLY));
  TW_ASSIGN(const LockOutcome outcome, lock_file(file, LOCK_SH | LOCK_NB, path));
  return outcome == LockOutcome::kHeldElsewhere;
}

}  // namespace tapeworks
