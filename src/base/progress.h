#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace tapeworks {

/// `--progress`, `--no-progress`; without either, progress is shown when stderr is a terminal and
/// `--quiet` was not given. Call before the first Progress is made.
void set_progress(bool shown);

/// One line on stderr that counts up, redrawn at most a few times a second and removed at the end.
/// Nothing appears for work that is done within a second.
/// Threads: add() from any; all else from one.
class Progress {
 public:
  /// `total` and the amounts of add() are in any one unit (bytes, symbols), shown as a percentage.
  Progress(std::string label, uint64_t total);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  void add(uint64_t amount);

 private:
  void draw(uint64_t done);

  std::string label_;
  uint64_t total_;
  bool shown_;
  std::atomic<uint64_t> done_{0};
  std::mutex mutex_;
  std::chrono::steady_clock::time_point next_draw_;  // guarded by mutex_
  bool drawn_ = false;                               // guarded by mutex_
};

}  // namespace tapeworks
