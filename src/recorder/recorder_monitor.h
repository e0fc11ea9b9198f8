#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/result.h"
#include "recorder/disk_keeper.h"
#include "recorder/durability_meter.h"
#include "recorder/metrics_server.h"
#include "recorder/recorder.h"
#include "recorder/recorder_metrics.h"
#include "recorder/recorder_status.h"

namespace tapeworks::recorder {

/// What looks at a recorder from outside: metrics and health over HTTP, where metrics.listen is
/// set; otherwise it does nothing.
///
/// Ownership: options, writer, disk keeper and the server's loop outlive it. Threads: that of the
/// loop.
class RecorderMonitor {
 public:
  /// `server` is null when nothing is served.
  RecorderMonitor(const RecordOptions& options, std::unique_ptr<MetricsServer> server,
                  const LogWriter& writer, const DiskKeeper& disk)
      : options_(options), disk_(disk), meter_(writer), server_(std::move(server)) {}

  /// Null when nothing is served.
  DurabilityMeter* meter() { return server_ ? &meter_ : nullptr; }

  void start(std::function<RecorderStatus()> status);
  /// Before the writer is closed.
  void stop();

 private:
  std::optional<std::string> trouble() const;
  std::string metrics(const RecorderStatus& status);
  void measure_disks();

  const RecordOptions& options_;
  const DiskKeeper& disk_;
  DurabilityMeter meter_;
  int64_t began_ns_ = 0;  ///< on the monotonic clock
  double start_time_seconds_ = 0;
  MetricsReading disks_;
  std::chrono::steady_clock::time_point next_disk_check_;
  std::unique_ptr<MetricsServer> server_;
};

}  // namespace tapeworks::recorder
