#pragma once

#include <filesystem>

#include "base/result.h"
#include "storage/posix_file.h"

namespace tapeworks {

/// The right to change the log in one folder: of a writer, or of a repair. Ends with the object,
/// and with the process. Threads: any.
class LogLock {
 public:
  /// kIo when somebody else has it.
  static Result<LogLock> acquire(const std::filesystem::path& folder);

  /// Somebody has it now. A folder without a lock file, or one on a file system without locks, says
  /// no.
  static Result<bool> is_held(const std::filesystem::path& folder);

 private:
  explicit LogLock(FileDescriptor file) : file_(std::move(file)) {}

  FileDescriptor file_;
};

}  // namespace tapeworks
