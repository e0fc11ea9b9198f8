#include "storage/bulk_sync.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

#include "base/interrupt.h"

namespace tapeworks {
namespace fs = std::filesystem;

BulkSync::BulkSync(fs::path folder) : BulkSync(std::move(folder), Way::kFileSystem) {}

BulkSync::BulkSync(fs::path folder, Way way, SyncFileSystem sync)
    : folder_(std::move(folder)), sync_file_system_(std::move(sync)) {
  if (way == Way::kEachFile) return;
  Result<FileDescriptor> file = open_file(folder_, O_RDONLY | O_DIRECTORY);
  struct stat info{};
  if (!file || !can_sync_file_system(*file) || ::fstat(file->get(), &info) != 0) return;
  file_system_ = std::move(*file);
  device_ = info.st_dev;
}

Status BulkSync::add(FileDescriptor file, fs::path path) {
  TW_TRY(check_interrupt());
  TW_TRY(first_failure());
  if (file_system_.get() < 0) return sync_by_itself(std::move(file), std::move(path));
  struct stat info{};
  if (::fstat(file.get(), &info) == 0 && info.st_dev != device_) {
    return sync_by_itself(std::move(file), std::move(path));
  }
  Status closed = file.close(path);
  std::unique_lock lock(mutex_);
  if (first_failure_) first_failure_ = std::move(closed);
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

Status BulkSync::sync_by_itself(FileDescriptor file, fs::path path) {
  return tasks_.add(0, [file = std::move(file), path = std::move(path)]() mutable -> Status {
    TW_TRY(sync_file(file, path));
    return file.close(path);
  });
}

Status BulkSync::begin_sync() {
  return tasks_.add(0, [this]() -> Status {
    {
      const std::lock_guard lock(mutex_);
      unsynced_files_ = 0;
      unsynced_bytes_ = 0;
    }
    Status synced = sync_file_system_(file_system_, folder_);
    const std::lock_guard lock(mutex_);
    sync_waits_ = false;
    if (first_failure_) first_failure_ = synced;
    return synced;
  });
}

Status BulkSync::first_failure() {
  const std::lock_guard lock(mutex_);
  return first_failure_;
}

Status BulkSync::finish() {
  TW_TRY(first_failure());
  TW_TRY(tasks_.finish());
  std::unique_lock lock(mutex_);
  TW_TRY(first_failure_);
  const bool is_synced = unsynced_files_ == 0;
  lock.unlock();
  if (is_synced) return {};
  TW_TRY(begin_sync());
  return tasks_.finish();
}

}  // namespace tapeworks
