#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>

#include "base/result.h"
#include "storage/background_tasks.h"
#include "storage/posix_file.h"

namespace tapeworks {

/// Makes many files of one file system durable in the background.
///
/// Where can_sync_file_system(), the whole file system is synced, again and again while files come
/// and once more at the end: thousands of new files then share the commits of the journal. How much
/// is unsynced meanwhile is bounded by the kernel, which lets writers wait above its limit of dirty
/// pages. Elsewhere, and when it lies on another file system, each file is synced by itself; a disk
/// answers many syncs at once about as fast as one, so up to BackgroundTasks::kThreadsMax are on
/// their way together.
///
/// Durability: a file is safe when finish() has returned ok after its add().
/// Failure: the first failed sync or close is kept, and every later add() and finish() returns it;
///   nothing is tried again, because the kernel may have dropped the pages.
/// Threads: add() from any, the rest from one. Destruction gives up what has not begun and waits
///   for the rest.
class BulkSync {
 public:
  /// So much is written before the file system is synced, unless that is under way.
  static constexpr uint64_t kBytesPerSync = 64 << 20;
  static constexpr size_t kFilesPerSync = 1024;

  enum class Way : uint8_t { kEachFile, kFileSystem };

  /// For files in `folder` and below, on its file system. When the folder cannot be opened, each
  /// file is synced.
  explicit BulkSync(std::filesystem::path folder);
  using SyncFileSystem = std::function<Status(const FileDescriptor&, const std::filesystem::path&)>;
  /// For tests: where `way` is impossible, each file is synced.
  BulkSync(std::filesystem::path folder, Way way, SyncFileSystem sync = sync_file_system);

  /// Takes over a file that is completely written. `path` is for messages. kCancelled after a
  /// signal.
  Status add(FileDescriptor file, std::filesystem::path path);

  /// Waits until everything added is synced and closed. kCancelled after a signal.
  Status finish();

 private:
  Status sync_by_itself(FileDescriptor file, std::filesystem::path path);
  Status begin_sync();
  Status first_failure();

  std::filesystem::path folder_;
  SyncFileSystem sync_file_system_;
  FileDescriptor file_system_;  ///< what is synced as a whole; none: each file is synced
  uint64_t device_ = 0;         ///< of file_system_
  std::mutex mutex_;
  // Guarded by mutex_.
  uint64_t unsynced_bytes_ = 0;
  size_t unsynced_files_ = 0;
  bool sync_waits_ = false;  ///< handed to tasks_ and not begun or not done
  Status first_failure_;

  BackgroundTasks tasks_;  ///< last: its threads use the others
};

}  // namespace tapeworks
