#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>

#include "base/result.h"

namespace tapeworks::recorder {

/// How long closed segments stay, and in which form; a part of the configuration.
struct LogKeeperOptions {
  std::filesystem::path folder;
  bool archive = true;
  std::chrono::nanoseconds keep = std::chrono::hours(24);  ///< counted from a segment's last record
  uint64_t max_bytes = 0;    ///< of all segments; shortens `keep`; 0: no limit
  bool may_shorten = false;  ///< `keep` also counts for nothing while the disk is short
};

/// What was done since the start.
struct LogKeeperCounts {
  uint64_t archived_segments = 0;
  uint64_t removed_segments = 0;
};

/// Looks after the closed segments of a log: compresses them, and removes those that nobody needs.
///
/// Removed is a segment when the sink has released all its records (they are in published files,
/// and those that do not decode in `_quarantine`) and it is older than `keep`, or the log is larger
/// than `max_bytes`. What is not released stays, whatever its age and size; that is warned of.
///
/// A thread of its own, because compressing 64 MiB takes longer than the sink may pause.
/// Failure: the first error ends the thread, and is given to `on_failure` in that thread and by
/// finish() again. Threads: counts() from any, the rest from one.
class LogKeeper {
 public:
  /// `releasable_lsn` is called from the thread; see Sink::releasable_lsn().
  LogKeeper(LogKeeperOptions options, std::function<uint64_t()> releasable_lsn);
  ~LogKeeper();

  void start(std::function<void(const Error&)> on_failure);
  /// A pass at once, because the disk is short; until relax() `keep` is 0 when it may be shortened.
  /// Any thread.
  void hurry();
  void relax() { is_hurried_ = false; }
  /// Ends the thread after a last pass.
  Status finish();

  /// One pass, as the thread makes them; for tests with a time of their own.
  Status keep_house(int64_t now_wall_ns);
  LogKeeperCounts counts() const { return {archived_segments_, removed_segments_}; }

 private:
  void run();
  Status keep_house_now();
  Status remove_old(int64_t now_wall_ns);
  void warn_of_size(uint64_t bytes, bool is_above, bool is_shortened);

  LogKeeperOptions options_;
  std::function<uint64_t()> releasable_lsn_;
  std::function<void(const Error&)> on_failure_;
  std::atomic<uint64_t> archived_segments_{0};
  std::atomic<uint64_t> removed_segments_{0};
  std::atomic<bool> is_hurried_{false};
  // The thread's alone: what was warned of already.
  bool warned_above_ = false;
  bool warned_shortened_ = false;

  std::mutex mutex_;
  std::condition_variable wake_;
  // Guarded by mutex_.
  bool pass_wanted_ = false;
  bool ending_ = false;
  Status outcome_;
  std::thread thread_;
};

}  // namespace tapeworks::recorder
