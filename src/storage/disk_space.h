#pragma once

#include <cstdint>
#include <filesystem>

#include "base/result.h"

namespace tapeworks {

/// The room on the device of a folder.
struct DiskSpace {
  uint64_t free_bytes = 0;  ///< what a process without privileges may still use
  uint64_t device = 0;      ///< equal for folders that share it
};
/// kIo when the system does not say.
Result<DiskSpace> disk_space_of(const std::filesystem::path& folder);

/// A file that holds nothing but room: given up when the disk is full, so that what was begun can
/// be ended. Ownership: destruction removes the file. Threads: one at a time.
class ReserveFile {
 public:
  ReserveFile(std::filesystem::path path, uint64_t byte_count)
      : path_(std::move(path)), byte_count_(byte_count) {}
  ReserveFile(const ReserveFile&) = delete;
  ReserveFile& operator=(const ReserveFile&) = delete;
  ~ReserveFile();

  /// Takes the room, also of a file that a crash left. kNoSpace when there is not enough; then no
  /// file is left. A file system that cannot give room ahead makes is_possible() false, which is no
  /// error.
  Status make();
  /// Gives the room back. Nothing there is no error.
  Status give_up();

  bool is_there() const { return is_there_; }
  bool is_possible() const { return is_possible_; }
  uint64_t byte_count() const { return byte_count_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  uint64_t byte_count_;
  bool is_there_ = false;
  bool is_possible_ = true;
};

}  // namespace tapeworks
