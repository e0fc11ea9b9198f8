#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "base/result.h"
#include "recorder/config/recorder_config.h"
#include "recorder/sink/sink.h"
#include "recorder/work_turns.h"
#include "storage/log_writer.h"

namespace tapeworks::recorder {

/// How far the sink has come, for status lines and loss policies.
struct SinkProgress {
  SinkStatus status;
  RowCounts counts;
  int64_t consumed_wall_ns = 0;  ///< receive time of the last record taken
};

struct SinkThreadOptions {
  std::filesystem::path log_folder;
  /// How long published files stay; what it deletes is deleted between records.
  RetentionConfig retention;
  /// Opens the sink again after it found no room. Null: that is a failure like others.
  std::function<Result<std::unique_ptr<Sink>>()> reopen;
  std::function<void()> on_no_space;   ///< with reopen: is told of it
  std::function<bool()> disk_is_full;  ///< with reopen: while it says so, nothing is tried again
};

/// Runs the sink in a thread of its own: reads the log behind the durable watermark, in the order
/// of its records. Records and files share the thread's time (WorkTurns).
///
/// A full disk loses nothing, because the log has it all: the sink is closed, and opened again when
/// there is room. Its counters begin anew then.
/// Ownership: the writer outlives it. Failure: the first error ends the thread and is given to
/// `on_failure` in that thread, and by finish() again. Threads: progress() from any, the rest from
/// one.
class SinkThread {
 public:
  SinkThread(std::unique_ptr<Sink> sink, const LogWriter& writer, SinkThreadOptions options);
  ~SinkThread();

  void start(std::function<void(const Error&)> on_failure);

  /// Takes everything up to the last record of the closed log, ends the sink in order and the
  /// thread.
  Status finish(uint64_t last_lsn);

  /// The disk is short: see Sink::save_space(). Any thread.
  void save_space() { save_space_ = true; }
  /// Deletes the oldest published hours, one after the other, until it is called with false. Any
  /// thread; without retention.allow_delete it does nothing.
  void make_room(bool is_needed) { makes_room_ = is_needed; }

  /// At most 100 ms old, and exact after finish().
  SinkProgress progress() const;
  /// Whose gaps open_trade_gaps() gives from now on; none at first. Any thread.
  void want_trade_gaps(std::set<Venue> venues);
  /// Gaps of trades that may still be filled, the oldest first, of each venue that is wanted at
  /// most TradeBackfill::kGapsMax; at most 250 ms old. Empty until everything that the log had at
  /// the start has been taken, because it may hold what fills them; for the same reason it stays as
  /// it was until a sink that was opened again has come so far.
  std::vector<TradeGap> open_trade_gaps() const;
  /// Cheaper than progress().
  uint64_t consumed_lsn() const { return consumed_lsn_.load(std::memory_order_acquire); }
  /// What the log may forget; at most a second old, so rather too low. See Sink::releasable_lsn().
  uint64_t releasable_lsn() const { return releasable_lsn_.load(std::memory_order_acquire); }

 private:
  Status run_guarded();
  Status run();
  Status run_sink();
  Status wait_and_reopen(const Error& no_space);
  Result<bool> work();
  Status work_for_space(bool& did_work);
  Status take_step(LogReader& reader, bool& is_at_end);
  void publish_progress();
  void publish_trade_gaps();

  std::unique_ptr<Sink> sink_;
  const LogWriter& writer_;
  SinkThreadOptions options_;
  std::thread thread_;
  std::atomic<uint64_t> consumed_lsn_{0};
  static constexpr uint64_t kNoEnd = UINT64_MAX;
  std::atomic<uint64_t> end_lsn_{kNoEnd};  ///< the last record to take
  std::atomic<bool> stop_now_{false};
  std::atomic<bool> save_space_{false};
  std::atomic<bool> makes_room_{false};
  uint64_t read_limit_lsn_ = 0;
  int64_t consumed_wall_ns_ = 0;
  std::atomic<uint64_t> releasable_lsn_{0};
  WorkTurns turns_;
  uint64_t first_lsn_;  ///< of what is recorded since the sink was opened
  std::chrono::steady_clock::time_point next_progress_;
  std::chrono::steady_clock::time_point next_release_;
  std::chrono::steady_clock::time_point next_trade_gaps_;
  std::chrono::steady_clock::time_point next_deletion_;

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  SinkProgress progress_;
  std::set<Venue> wanted_venues_;
  std::vector<TradeGap> open_trade_gaps_;
  Status outcome_;
};

}  // namespace tapeworks::recorder
