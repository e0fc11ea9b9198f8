#include "storage/posix_file.h"

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/magic.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#endif
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tapeworks {
namespace fs = std::filesystem;
namespace {

constexpr size_t kReadChunkBytes = size_t{1} << 20;
/// Room for the content of a pipe or a file of the kernel, to begin with.
constexpr size_t kUnknownSizeBytes = 4096;

/// What a person can do about an error number; begins with "; " when there is something.
std::string_view remedy(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return "; free some space there and run again";
    case EFBIG:
      return "; raise the limit of file sizes (ulimit -f)";
    case EMFILE:
    case ENFILE:
      return "; raise the limit of open files (ulimit -n)";
    case EACCES:
    case EPERM:
    case EROFS:
      return "; check who may write there";
    case EIO:
      return "; check the disk";
    default:
      return "";
  }
}

}  // namespace

std::unexpected<Error> system_error(std::string_view action, const fs::path& path,
                                    int error_number) {
  const bool is_full = error_number == ENOSPC || error_number == EDQUOT;
  return fail(is_full ? ErrorKind::kNoSpace : ErrorKind::kIo, "cannot {} {}: {}{}", action,
              path.string(), std::generic_category().message(error_number), remedy(error_number));
}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FileDescriptor::~FileDescriptor() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Status FileDescriptor::close(const fs::path& path) {
  // The descriptor is gone even when close() fails, on Linux also after EINTR.
  if (::close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) {
    return system_error("close", path, errno);
  }
  return {};
}

Result<FileDescriptor> open_file(const fs::path& path, int flags) {
  int descriptor = -1;
  do {
    descriptor = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
  } while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) return system_error("open", path, errno);
  return FileDescriptor(descriptor);
}

Result<FileDescriptor> create_file(const fs::path& path) {
  return open_file(path, O_WRONLY | O_CREAT | O_EXCL);
}

Status write_all(const FileDescriptor& file, std::span<const std::byte> content,
                 const fs::path& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(file.get(), content.data(), content.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return system_error("write", path, errno);
    }
    content = content.subspan(static_cast<size_t>(written));
  }
  return {};
}

Result<LockOutcome> lock_file(const FileDescriptor& file, int operation, const fs::path& path) {
  while (::flock(file.get(), operation) != 0) {
    switch (errno) {
      case EINTR:
        continue;
      case EWOULDBLOCK:
        return LockOutcome::kHeldElsewhere;
      case ENOTSUP:
      case EINVAL:
      case ENOLCK:
      case ENOSYS:
        return LockOutcome::kUnsupported;
      default:
        return system_error("lock", path, errno);
    }
  }
  return LockOutcome::kLocked;
}

Status sync_file(const FileDescriptor& file, const fs::path& path) {
#ifdef F_FULLFSYNC
  // On macOS fsync() alone leaves the data in the drive's cache. Network file systems know no
  // F_FULLFSYNC and say so; there fsync() is all there is.
  if (::fcntl(file.get(), F_FULLFSYNC) == 0) return {};
  if (errno != ENOTSUP && errno != EINVAL && errno != ENOTTY) {
    return system_error("sync", path, errno);
  }
  if (::fsync(file.get()) != 0) return system_error("sync", path, errno);
#else
  if (::fdatasync(file.get()) != 0) return system_error("sync", path, errno);
#endif
  return {};
}

#ifdef __linux__
bool can_sync_file_system(const FileDescriptor& folder) {
  utsname kernel{};
  int major = 0;
  int minor = 0;
  if (::uname(&kernel) != 0 || std::sscanf(kernel.release, "%d.%d", &major, &minor) != 2) {
    return false;
  }
  struct statfs info{};
  if (std::pair(major, minor) < std::pair(5, 17) || ::fstatfs(folder.get(), &info) != 0) {
    return false;
  }
  constexpr decltype(info.f_type) kXfsMagic = 0x58465342;
  switch (info.f_type) {
    case EXT4_SUPER_MAGIC:
    case kXfsMagic:
    case BTRFS_SUPER_MAGIC:
    case F2FS_SUPER_MAGIC:
    case TMPFS_MAGIC:
      return true;
    default:
      return false;
  }
}

Status sync_file_system(const FileDescriptor& folder, const fs::path& path) {
  if (::syncfs(folder.get()) != 0) return system_error("sync the file system of", path, errno);
  return {};
}
#else
bool can_sync_file_system(const FileDescriptor&) { return false; }

Status sync_file_system(const FileDescriptor&, const fs::path& path) {
  return system_error("sync the file system of", path, ENOSYS);
}
#endif

Status sync_folder(const fs::path& folder) {
  TW_ASSIGN(FileDescriptor file, open_file(folder, O_RDONLY | O_DIRECTORY));
#ifdef F_FULLFSYNC
  if (::fcntl(file.get(), F_FULLFSYNC) == 0) return file.close(folder);
#endif
  if (::fsync(file.get()) != 0 && errno != EINVAL && errno != ENOTSUP) {
    return system_error("sync folder", folder, errno);
  }
  return file.close(folder);
}

Status write_synced_file(const fs::path& path, std::string_view text) {
  TW_ASSIGN(FileDescriptor file, create_file(path));
  TW_TRY(write_all(file, std::as_bytes(std::span(text)), path));
  TW_TRY(sync_file(file, path));
  return file.close(path);
}

Status rename_file(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return system_error("rename", from, errno);
  return {};
}

Status remove_file(const fs::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return system_error("remove", path, errno);
  return {};
}

Status replace_text_file(const fs::path& path, const fs::path& temporary, std::string_view text) {
  TW_ASSIGN(FileDescriptor file, open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC));
  TW_TRY(write_all(file, std::as_bytes(std::span(text)), temporary));
  TW_TRY(sync_file(file, temporary));
  TW_TRY(file.close(temporary));
  TW_TRY(rename_file(temporary, path));
  return sync_folder(path.has_parent_path() ? path.parent_path() : ".");
}

Result<std::string> read_to_end(const FileDescriptor& file, const fs::path& path) {
  struct stat status{};
  const bool has_size = ::fstat(file.get(), &status) == 0 && status.st_size > 0;
  std::string text;
  // One byte more than there should be, so that the end is met in the same room.
  text.resize(has_size ? static_cast<size_t>(status.st_size) + 1 : kUnknownSizeBytes);
  size_t filled = 0;
  while (true) {
    if (filled == text.size()) text.resize(2 * filled);
    const ssize_t count = ::read(file.get(), text.data() + filled, text.size() - filled);
    if (count < 0 && errno != EINTR) return system_error("read", path, errno);
    if (count > 0) filled += static_cast<size_t>(count);
    if (count == 0) break;
  }
  text.resize(filled);
  return text;
}

Result<std::string> read_text_file(const fs::path& path) {
  TW_ASSIGN(const FileDescriptor file, open_file(path, O_RDONLY));
  return read_to_end(file, path);
}

Result<StreamedContent> hash_content(const FileDescriptor& file, const fs::path& path,
                                     const FileDescriptor* copy_to, const fs::path& copy_path) {
  XXH3_state_t hash;
  XXH3_64bits_reset(&hash);
  StreamedContent content;
  std::vector<std::byte> chunk(kReadChunkBytes);
  while (true) {
    const ssize_t count = ::read(file.get(), chunk.data(), chunk.size());
    if (count == 0) break;
    if (count < 0) {
      if (errno == EINTR) continue;
      return system_error("read", path, errno);
    }
    const auto bytes = std::span(chunk).first(static_cast<size_t>(count));
    XXH3_64bits_update(&hash, bytes.data(), bytes.size());
    content.byte_count += bytes.size();
    if (copy_to != nullptr) TW_TRY(write_all(*copy_to, bytes, copy_path));
  }
  content.xxh3 = XXH3_64bits_digest(&hash);
  return content;
}

Status make_folders(const fs::path& folder) {
  if (::mkdir(folder.c_str(), 0777) == 0) {
    return sync_folder(folder.has_parent_path() ? folder.parent_path() : ".");
  }
  if (errno == EEXIST) {
    std::error_code error;
    if (fs::is_directory(folder, error)) return {};
    return system_error("make folder", folder, error ? error.value() : ENOTDIR);
  }
  if (errno != ENOENT || !folder.has_parent_path() || folder.parent_path() == folder) {
    return system_error("make folder", folder, errno);
  }
  // Some file systems (/proc) say so of a folder that is there and takes no other.
  std::error_code error;
  if (fs::is_directory(folder.parent_path(), error)) {
    return system_error("make folder", folder, ENOENT);
  }
  TW_TRY(make_folders(folder.parent_path()));
  // Somebody else may have made it in the meantime; the second attempt then sees that it is there.
  return make_folders(folder);
}

Status remove_empty_folder(const fs::path& folder) {
  if (::rmdir(folder.c_str()) == 0 || errno == ENOTEMPTY || errno == EEXIST || errno == ENOENT) {
    return {};
  }
  return system_error("remove", folder, errno);
}

Status remove_tree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) return system_error("remove", path, error.value());
  return {};
}

}  // namespace tapeworks
