#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "base/result.h"
#include "recorder/config/recorder_config.h"
#include "recorder/sink/sink.h"
#include "storage/log_writer.h"

namespace tapeworks::recorder {

/// How far the sink has come, for status lines and loss policies.
struct SinkProgress {
  SinkStatus status;
  RowCounts counts;
  int64_t consumed_wall_ns = 0;  ///< receive time of the last record taken
  uint64_t archived_segments = 0;
  uint64_t published_lsn = 0;  ///< closed files of all records up to here are published
};

/// Runs the sink in a thread of its own: reads the log behind the durable watermark, in the order
/// of its records, and looks after its closed segments.
///
/// Ownership: writer and sink live with the caller of start() until join() has returned.
/// Failure: the first error ends the thread and is given to `on_failure` in that thread, and by
/// finish() again. Threads: progress() from any, the rest from one.
class SinkThread {
 public:
  /// How the log is looked after; a part of the configuration.
  struct Housekeeping {
    std::filesystem::path folder;
    bool archive = true;
  };

  SinkThread(std::unique_ptr<Sink> sink, const LogWriter& writer, Housekeeping housekeeping);
  ~SinkThread();

  void start(std::function<void(const Error&)> on_failure);

  /// Takes everything up to the last record of the closed log, ends the sink in order and the
  /// thread.
  Status finish(uint64_t last_lsn);

  SinkProgress progress() const;
  /// Cheaper than progress().
  uint64_t consumed_lsn() const { return consumed_lsn_.load(std::memory_order_acquire); }

 private:
  Status run_guarded();
  Status run();
  Status take_step(LogReader& reader, bool& is_at_end);
  Status keep_house();
  void publish_progress();

  std::unique_ptr<Sink> sink_;
  const LogWriter& writer_;
  Housekeeping housekeeping_;
  std::thread thread_;
  std::atomic<uint64_t> consumed_lsn_{0};
  static constexpr uint64_t kNoEnd = UINT64_MAX;
  std::atomic<uint64_t> end_lsn_{kNoEnd};  ///< the last record to take
  std::atomic<bool> stop_now_{false};
  uint64_t read_limit_lsn_ = 0;
  int64_t consumed_wall_ns_ = 0;
  std::chrono::steady_clock::time_point next_housekeeping_;
  uint64_t archived_segments_ = 0;
  uint64_t published_lsn_ = 0;
  std::chrono::steady_clock::time_point next_published_check_;

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  SinkProgress progress_;
  Status outcome_;
};

}  // namespace tapeworks::recorder
