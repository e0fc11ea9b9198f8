#include "storage/log_file_operations.h"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace tapeworks {

LogFileOperations& LogFileOperations::system() {
  static LogFileOperations operations;
  return operations;
}

Result<FileDescriptor> LogFileOperations::create(const std::filesystem::path& path) {
  return create_file(path);
}

Status LogFileOperations::preallocate(const FileDescriptor& file, uint64_t byte_count,
                                      const std::filesystem::path& path) {
#ifdef __linux__
  int failed = 0;
  do {
    failed = ::fallocate(file.get(), 0, 0, static_cast<off_t>(byte_count));
  } while (failed != 0 && errno == EINTR);
  if (failed != 0 && errno != EOPNOTSUPP && errno != ENOSYS) {
    return system_error("reserve room for", path, errno);
  }
#else
  (void)file, (void)byte_count, (void)path;
#endif
  return {};
}

Status LogFileOperations::write_at(const FileDescriptor& file, std::span<const std::byte> bytes,
                                   uint64_t offset, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = write_some(file, bytes, offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error("write", path, errno);
    bytes = bytes.subspan(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return {};
}

Status LogFileOperations::truncate(const FileDescriptor& file, uint64_t byte_count,
                                   const std::filesystem::path& path) {
  while (::ftruncate(file.get(), static_cast<off_t>(byte_count)) != 0) {
    if (errno != EINTR) return system_error("cut", path, errno);
  }
  return {};
}

Status LogFileOperations::sync(const FileDescriptor& file, const std::filesystem::path& path) {
  return sync_file(file, path);
}

Status LogFileOperations::sync_folder(const std::filesystem::path& folder) {
  return tapeworks::sync_folder(folder);
}

ssize_t LogFileOperations::write_some(const FileDescriptor& file, std::span<const std::byte> bytes,
                                      uint64_t offset) {
  return ::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
}

}  // namespace tapeworks
