#include "recorder/recorder_status.h"

#include <cmath>

#include <nlohmann/json.hpp>

#include "base/units.h"

namespace tapeworks::recorder {
namespace {

/// " (ack 14, rows 35990)"; empty where nothing was counted.
std::string list_of(const std::map<std::string, uint64_t, std::less<>>& counts) {
  std::string list;
  for (const auto& [name, count] : counts) {
    if (count > 0) list += fmt::format("{}{} {}", list.empty() ? " (" : ", ", name, count);
  }
  return list.empty() ? list : list + ")";
}

std::map<std::string, uint64_t, std::less<>> named(const std::map<DropCause, uint64_t>& counts) {
  std::map<std::string, uint64_t, std::less<>> by_name;
  for (const auto& [cause, count] : counts) by_name.emplace(name_of(cause), count);
  return by_name;
}

std::string render_text(const RecorderStatus& status) {
  const SinkStatus& sink = status.sink.status;
  const std::string frames = list_of(status.sink.counts.frame_kinds);
  std::string line = fmt::format(
      "record: {} events ({:.0f}/s), frames{}, connected {}/{}, queue_len {} ({} buffered), "
      "lsn {} (durable {}, published {}), open {}, parts {}, files {}, row_group_rows {}, "
      "evicted {}, dropped_total {}{}, rss {}, virtual {}, lag {:.3f} s",
      status.events, status.events_per_second, frames.empty() ? " none" : frames, status.connected,
      status.connections, status.queue_records, format_byte_size(status.queue_bytes),
      status.end_lsn - 1, status.durable_lsn, status.published_lsn, sink.open_partitions,
      sink.parts, sink.published_files, status.row_group_rows, sink.evictions, status.dropped,
      list_of(named(status.dropped_by_cause)), format_byte_size(status.resident_bytes),
      format_byte_size(status.virtual_bytes), status.lag_seconds);
  if (status.sink.counts.quarantined > 0) {
    line += fmt::format(", quarantined {}", status.sink.counts.quarantined);
  }
  if (status.blocked > 0) line += fmt::format(", blocked {}", status.blocked);
  if (status.disk != DiskStep::kFine) line += fmt::format(", disk {}", name_of(status.disk));
  if (status.paused_feeds > 0) line += fmt::format(", paused feeds {}", status.paused_feeds);
  if (!status.is_durable) line += ", not synced (wal.sync = \"none\")";
  return line;
}

std::string render_json(const RecorderStatus& status) {
  const SinkStatus& sink = status.sink.status;
  const RowCounts& counts = status.sink.counts;
  nlohmann::ordered_json line;
  line["seconds"] = std::round(status.seconds * 1000) / 1000;
  line["events"] = status.events;
  line["events_per_second"] = std::round(status.events_per_second);
  line["connected"] = status.connected;
  line["connections"] = status.connections;
  line["queue_len"] = status.queue_records;
  line["queue_bytes"] = status.queue_bytes;
  line["open_partitions"] = sink.open_partitions;
  line["buffered_bytes"] = sink.buffered_bytes;
  line["parts"] = sink.parts;
  line["waiting_merges"] = sink.waiting_merges;
  line["published_files"] = sink.published_files;
  line["rows"] = counts.rows;
  line["repeats"] = counts.repeats;
  line["holes"] = counts.holes;
  line["quarantined"] = counts.quarantined;
  line["frames"] = counts.frame_kinds;
  line["row_group_rows"] = status.row_group_rows;
  line["evicted"] = sink.evictions;
  line["dropped_total"] = status.dropped;
  line["dropped_by_cause"] = named(status.dropped_by_cause);
  line["blocked"] = status.blocked;
  line["disk"] = name_of(status.disk);
  line["paused_feeds"] = status.paused_feeds;
  line["deleted_files"] = sink.deleted.files;
  line["lag_seconds"] = std::round(status.lag_seconds * 1000) / 1000;
  line["end_lsn"] = status.end_lsn;
  line["durable_lsn"] = status.durable_lsn;
  line["consumed_lsn"] = sink.consumed_lsn;
  line["checkpoint_lsn"] = sink.checkpoint_lsn;
  line["published_lsn"] = status.published_lsn;
  line["resident_bytes"] = status.resident_bytes;
  line["virtual_bytes"] = status.virtual_bytes;
  line["heap_bytes"] = status.heap_bytes;
  line["durable"] = status.is_durable;
  return line.dump();
}

}  // namespace

std::string render_status(const RecorderStatus& status, StatusFormat format) {
  return format == StatusFormat::kJson ? render_json(status) : render_text(status);
}

}  // namespace tapeworks::recorder
