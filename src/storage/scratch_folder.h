#pragma once

#include <filesystem>
#include <utility>

#include "base/result.h"
#include "storage/posix_file.h"

namespace tapeworks {

/// A new folder of its own for the temporary files of a command that writes no generation. It is
/// removed with everything in it when the object is destroyed. What a process left that was killed
/// is removed by the next one that makes such a folder at the same place. Threads: one.
class ScratchFolder {
 public:
  /// Below `parent`, or below the system's folder for temporary files when that is empty.
  static Result<ScratchFolder> make(const std::filesystem::path& parent);

  ScratchFolder(ScratchFolder&& other) noexcept
      : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)) {}
  ScratchFolder& operator=(ScratchFolder&&) = delete;
  ~ScratchFolder();

  const std::filesystem::path& path() const { return path_; }

 private:
  explicit ScratchFolder(std::filesystem::path path) : path_(std::move(path)) {}

  std::filesystem::path path_;
  FileDescriptor lock_;  ///< of a file in it: nobody else may take the folder away
};

}  // namespace tapeworks
