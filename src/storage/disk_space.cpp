#include "storage/disk_space.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "storage/posix_file.h"

namespace tapeworks {

Result<DiskSpace> disk_space_of(const std::filesystem::path& folder) {
  struct statvfs space{};
  struct stat info{};
  if (::statvfs(folder.c_str(), &space) != 0 || ::stat(folder.c_str(), &info) != 0) {
    return system_error("ask for the room at", folder, errno);
  }
  return DiskSpace{uint64_t{space.f_bavail} * uint64_t{space.f_frsize}, uint64_t{info.st_dev}};
}

ReserveFile::~ReserveFile() {
  // Who needs to know has called give_up() before.
  (void)give_up();
}

Status ReserveFile::make() {
  if (is_there_ || byte_count_ == 0) return {};
  TW_TRY(remove_file(path_));
#ifdef __linux__
  TW_ASSIGN(const FileDescriptor file, create_file(path_));
  int failed = 0;
  do {
    failed = ::fallocate(file.get(), 0, 0, static_cast<off_t>(byte_count_));
  } while (failed != 0 && errno == EINTR);
  is_there_ = failed == 0;
  if (is_there_) return {};
  const int reason = errno;
  TW_TRY(remove_file(path_));
  if (reason != EOPNOTSUPP && reason != ENOSYS)
    return system_error("reserve room for", path_, reason);
#endif
  is_possible_ = false;
  return {};
}

Status ReserveFile::give_up() {
  if (!is_there_) return {};
  is_there_ = false;
  return remove_file(path_);
}

}  // namespace tapeworks
