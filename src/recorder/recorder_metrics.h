#pragma once

#include <cstdint>
#include <string>

#include "recorder/durability_meter.h"
#include "recorder/recorder_status.h"

namespace tapeworks::recorder {

/// What the metrics say beside the status.
struct MetricsReading {
  std::string version;
  double start_time_seconds = 0;  ///< since 1970
  bool is_healthy = true;
  DurabilityMeter::Reading durability;
  uint64_t memory_limit_bytes = 0;
  uint64_t log_bytes = 0;
  uint64_t log_free_bytes = 0;
  uint64_t output_free_bytes = 0;
};

/// All metrics in the text format of Prometheus; docs/metrics.md is the list of them.
std::string render_metrics(const RecorderStatus& status, const MetricsReading& reading);

}  // namespace tapeworks::recorder
