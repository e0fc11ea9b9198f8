#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>

#include "base/latency_histogram.h"
#include "storage/log_writer.h"

namespace tapeworks::recorder {

/// Measures the time from the receipt of messages until the log has them durably, in a thread that
/// waits for the log's watermark.
///
/// Memory: one entry for each message that is not durable, at most kWaitingMax; then one entry
/// stands for several, with the time of the first. Ownership: `writer` must outlive it.
/// Failure: that of the writer ends the measurement; the writer reports it. Threads: any.
class DurabilityMeter {
 public:
  static constexpr size_t kWaitingMax = 65'536;

  explicit DurabilityMeter(const LogWriter& writer) : writer_(writer) {}

  /// From here on. To be ended by stop(), or destruction, before the writer is closed.
  void start();
  void stop();

  /// A message that the log has taken under this number. LSNs rise from call to call.
  void note(uint64_t lsn, int64_t received_monotonic_ns);

  struct Reading {
    LatencyHistogram receive_to_durable;
    /// On the monotonic clock; 0 before the first.
    int64_t last_message_durable_ns = 0;
    int64_t last_record_durable_ns = 0;
  };
  Reading read() const;

 private:
  struct Waiting {
    uint64_t last_lsn = 0;
    int64_t received_ns = 0;
    uint64_t count = 0;
  };

  void run(const std::stop_token& stop);
  void take(uint64_t durable_lsn, int64_t now_ns);

  const LogWriter& writer_;
  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::deque<Waiting> waiting_;
  Reading reading_;

  std::jthread thread_;  ///< last: it uses all of the above
};

}  // namespace tapeworks::recorder
