#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "recorder/config/recorder_config.h"
#include "recorder/disk_ladder.h"
#include "recorder/dropped_messages.h"
#include "recorder/leg_counts.h"
#include "recorder/log_keeper.h"
#include "recorder/protocol/venue.h"
#include "recorder/sink_thread.h"

namespace tapeworks::recorder {

/// What the connections of a venue have done, all its feeds together.
struct VenueStatus {
  Venue venue = Venue::kBinanceSpot;
  uint64_t events = 0;  ///< messages stored in the log
  uint64_t event_bytes = 0;
  uint64_t dropped = 0;
  DroppedCounts dropped_counts = {};
  uint64_t blocked = 0;
  uint64_t connected = 0;
  uint64_t connections = 0;
  uint64_t connects = 0;
  uint64_t lost = 0;  ///< connections that ended without our wish
  uint64_t failed_attempts = 0;
  LegPairCounts legs{};
};

/// What was asked of a venue's REST interface to fill gaps.
struct BackfillStatus {
  uint64_t open_gaps = 0;
  uint64_t requests = 0;
  uint64_t refused = 0;                ///< because there were too many
  std::array<uint64_t, 3> ended = {};  ///< gaps, by BackfillEnd
};

/// What the status line and the metrics say. Counters are since the start.
struct RecorderStatus {
  double seconds = 0;   ///< since the start
  uint64_t events = 0;  ///< messages stored in the log
  double events_per_second = 0;
  uint64_t connected = 0;
  uint64_t connections = 0;
  uint64_t queue_records = 0;   ///< in the log and not taken by the sink
  uint64_t queue_bytes = 0;     ///< memory of the log for what is not durable yet
  uint64_t row_group_rows = 0;  ///< of a row group in published files
  uint64_t dropped = 0;
  std::map<DropCause, uint64_t> dropped_by_cause;
  uint64_t blocked = 0;
  double lag_seconds = 0;  ///< from receipt to the sink
  uint64_t end_lsn = 0;
  uint64_t durable_lsn = 0;
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  uint64_t heap_bytes = 0;     ///< used_heap_bytes()
  bool is_durable = true;      ///< not with wal.sync = "none"
  uint64_t published_lsn = 0;  ///< every record up to here is in published files
  LogKeeperCounts segments;
  DiskStep disk = DiskStep::kFine;
  uint64_t paused_feeds = 0;  ///< closed because the disk is short
  SinkProgress sink;
  std::vector<VenueStatus> venues;  ///< those with a feed
  std::map<Venue, BackfillStatus> backfill;
};

/// One line without its end.
std::string render_status(const RecorderStatus& status, StatusFormat format);

}  // namespace tapeworks::recorder
