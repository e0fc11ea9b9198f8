#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/result.h"

namespace tapeworks {

/// Does many small things that mostly wait for somebody else, several at once, beside other work.
///
/// Failure: the first one is kept, what has not begun is dropped, and every later call returns it.
/// Threads: add() from any, the rest from one.
class BackgroundTasks {
 public:
  static constexpr size_t kThreadsMax = 16;
  /// Tasks that wait for a free thread; add() blocks when there are so many.
  static constexpr size_t kWaitingMax = 64;

  /// `bytes_max` is how much memory the tasks that are not done may hold together.
  explicit BackgroundTasks(uint64_t bytes_max = UINT64_MAX) : bytes_max_(bytes_max) {}
  BackgroundTasks(const BackgroundTasks&) = delete;
  BackgroundTasks& operator=(const BackgroundTasks&) = delete;
  /// Gives up what has not begun and waits for the rest.
  ~BackgroundTasks();

  /// Waits until there is room for a task that holds `bytes`. kCancelled after a signal.
  Status add(uint64_t bytes, std::move_only_function<Status()> task);

  /// Waits until everything is done. kCancelled after a signal.
  Status finish();

 private:
  struct Task {
    uint64_t bytes = 0;
    std::move_only_function<Status()> run;
  };
  void work();

  uint64_t bytes_max_;
  std::mutex mutex_;
  std::condition_variable task_added_;
  std::condition_variable task_done_;
  // Guarded by mutex_.
  std::deque<Task> waiting_;
  std::vector<std::thread> threads_;  ///< started one by one while there is work for them
  size_t running_count_ = 0;
  uint64_t bytes_held_ = 0;
  Status first_failure_;
  bool stopping_ = false;
};

}  // namespace tapeworks
