#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <filesystem>
#include <mutex>
#include <thread>
#include <vector>

#include "base/result.h"
#include "storage/posix_file.h"

namespace tapeworks {

/// Syncs and closes many files in the background. A disk answers many syncs at once about as fast
/// as one, so up to kSyncsInFlight are on their way together.
///
/// Durability: a file is safe when finish() has returned ok after its add().
/// Failure: the first failed sync or close is kept, and every later add() and finish() returns it;
///   nothing is tried again, because the kernel may have dropped the pages.
/// Threads: add() from any, the rest from one.
class BulkSync {
 public:
  static constexpr size_t kSyncsInFlight = 16;
  /// Files that wait for a free thread; add() blocks when there are so many.
  static constexpr size_t kWaitingFilesMax = 64;

  BulkSync() = default;
  BulkSync(const BulkSync&) = delete;
  BulkSync& operator=(const BulkSync&) = delete;
  /// Gives up what has not begun and waits for the rest.
  ~BulkSync();

  /// Takes over a file that is completely written. `path` is for messages.
  Status add(FileDescriptor file, std::filesystem::path path);

  /// Waits until everything added is synced and closed. kCancelled after a signal.
  Status finish();

 private:
  struct Item {
    FileDescriptor file;
    std::filesystem::path path;
  };

  void work();

  std::mutex mutex_;
  std::condition_variable item_added_;
  std::condition_variable item_taken_;
  std::condition_variable all_done_;
  // Guarded by mutex_.
  std::deque<Item> waiting_;
  std::vector<std::thread> threads_;  ///< started one by one while there is work for them
  size_t syncing_count_ = 0;
  Status first_failure_;
  bool stopping_ = false;
};

}  // namespace tapeworks
