#pragma once

#include <cstdint>
#include <string>

#include "recorder/config/recorder_config.h"
#include "recorder/sink_thread.h"

namespace tapeworks::recorder {

/// What the status line says. Counters are since the start.
struct RecorderStatus {
  double seconds = 0;   ///< since the start
  uint64_t events = 0;  ///< messages stored in the log
  double events_per_second = 0;
  uint64_t connected = 0;
  uint64_t connections = 0;
  uint64_t queue_records = 0;  ///< in the log and not taken by the sink
  uint64_t queue_bytes = 0;    ///< not yet durable
  uint64_t dropped = 0;
  uint64_t blocked = 0;
  double lag_seconds = 0;  ///< from receipt to the sink
  uint64_t end_lsn = 0;
  uint64_t durable_lsn = 0;
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  bool is_durable = true;  ///< not with wal.sync = "none"
  SinkProgress sink;
};

/// One line without its end.
std::string render_status(const RecorderStatus& status, StatusFormat format);

}  // namespace tapeworks::recorder
