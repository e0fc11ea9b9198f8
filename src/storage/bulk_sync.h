#pragma once

#include <cstddef>
#include <filesystem>

#include "base/result.h"
#include "storage/background_tasks.h"
#include "storage/posix_file.h"

namespace tapeworks {

/// Syncs and closes many files in the background. A disk answers many syncs at once about as fast
/// as one, so up to kSyncsInFlight are on their way together.
///
/// Durability: a file is safe when finish() has returned ok after its add().
/// Failure: the first failed sync or close is kept, and every later add() and finish() returns it;
///   nothing is tried again, because the kernel may have dropped the pages.
/// Threads: add() from any, the rest from one. Destruction gives up what has not begun and waits
///   for the rest.
class BulkSync {
 public:
  static constexpr size_t kSyncsInFlight = BackgroundTasks::kThreadsMax;
  /// Files that wait for a free thread; add() blocks when there are so many.
  static constexpr size_t kWaitingFilesMax = BackgroundTasks::kWaitingMax;

  /// Takes over a file that is completely written. `path` is for messages. kCancelled after a
  /// signal.
  Status add(FileDescriptor file, std::filesystem::path path);

  /// Waits until everything added is synced and closed. kCancelled after a signal.
  Status finish() { return tasks_.finish(); }

 private:
  BackgroundTasks tasks_;
};

}  // namespace tapeworks
