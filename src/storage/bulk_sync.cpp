#include "storage/bulk_sync.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

namespace tapeworks {
namespace fs = std::filesystem;
namespace {

/// What to sync as a whole; none where that is impossible.
FileDescriptor open_file_system(const fs::path& folder) {
  Result<FileDescriptor> file = open_file(folder, O_RDONLY | O_DIRECTORY);
  return file && can_sync_file_system(*file) ? std::move(*file) : FileDescriptor();
}

}  // namespace

BulkSync::BulkSync(fs::path folder)
    : folder_(std::move(folder)), file_system_(open_file_system(folder_)) {}

BulkSync::BulkSync(fs::path folder, Way way) : folder_(std::move(folder)) {
  if (way == Way::kFileSystem) file_system_ = open_file_system(folder_);
}

Status BulkSync::add(FileDescriptor file, fs::path path) {
  if (file_system_.get() < 0) {
    return tasks_.add(0, [file = std::move(file), path = std::move(path)]() mutable -> Status {
      TW_TRY(sync_file(file, path));
      return file.close(path);
    });
  }
  Status outcome;
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) outcome = system_error("look at", path, errno);
  if (Status closed = file.close(path); !closed) outcome = std::move(closed);

  std::unique_lock lock(mutex_);
  if (first_failure_) first_failure_ = std::move(outcome);
  if (!first_failure_) return first_failure_;
  ++unsynced_files_;
  unsynced_bytes_ += static_cast<uint64_t>(info.st_size);
  if (sync_waits_ || (unsynced_files_ < kFilesPerSync && unsynced_bytes_ < kBytesPerSync)) {
    return {};
  }
  sync_waits_ = true;
  lock.unlock();
  return begin_sync();
}

Status BulkSync::begin_sync() {
  return tasks_.add(0, [this]() -> Status {
    {
      const std::lock_guard lock(mutex_);
      unsynced_files_ = 0;
      unsynced_bytes_ = 0;
    }
    Status synced = sync_file_system(file_system_, folder_);
    const std::lock_guard lock(mutex_);
    sync_waits_ = false;
    if (!synced && first_failure_) first_failure_ = synced;
    return synced;
  });
}

Status BulkSync::finish() {
  TW_TRY(tasks_.finish());
  std::unique_lock lock(mutex_);
  const bool is_synced = unsynced_files_ == 0;
  TW_TRY(first_failure_);
  lock.unlock();
  if (is_synced) return {};
  TW_TRY(begin_sync());
  return tasks_.finish();
}

}  // namespace tapeworks
