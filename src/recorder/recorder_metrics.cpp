#include "recorder/recorder_metrics.h"

#include "recorder/metrics_text.h"

namespace tapeworks::recorder {
namespace {

using enum MetricType;
using Labels = MetricsText::Labels;

void write_one(MetricsText& text, std::string_view name, MetricType type, std::string_view help,
               auto value) {
  text.family(name, type, help);
  text.sample(value);
}

Labels labels_of(Venue venue) {
  const VenueName name = name_of(venue);
  return {{"exchange", name.exchange}, {"market", name.market}, {"transport", name.transport}};
}

Labels labels_of(Venue venue, size_t leg) {
  Labels labels = labels_of(venue);
  labels.emplace_back("leg", leg == 0 ? "0" : "1");
  return labels;
}

const std::array<RowCounts::Leg, 2>& legs_of(const RecorderStatus& status, Venue venue) {
  return status.sink.counts.legs[static_cast<size_t>(venue)];
}

/// What each leg has brought, and where one did not. Without legs = 2 the second one is that of
/// sockets that replace others.
void write_legs(MetricsText& text, const RecorderStatus& status) {
  const auto write = [&](std::string_view name, std::string_view help, auto value_of) {
    text.family(name, kCounter, help);
    for (const VenueStatus& venue : status.venues) {
      for (size_t leg = 0; leg < venue.legs.size(); ++leg) {
        text.sample(value_of(venue, leg), labels_of(venue.venue, leg));
      }
    }
  };
  write("tapeworks_leg_messages_total", "Messages that a leg brought.",
        [](const VenueStatus& venue, size_t leg) { return venue.legs[leg].messages; });
  write("tapeworks_leg_connections_lost_total",
        "Connections of a leg that ended though nobody here wanted it.",
        [](const VenueStatus& venue, size_t leg) { return venue.legs[leg].lost; });
  write("tapeworks_leg_first_copies_total",
        "Rows that both legs should bring, taken from this one while both were connected.",
        [&](const VenueStatus& venue, size_t leg) {
          return legs_of(status, venue.venue)[leg].first_copies;
        });
  write("tapeworks_leg_second_copies_total",
        "Rows that both legs should bring, left out because the other one was faster.",
        [&](const VenueStatus& venue, size_t leg) {
          return legs_of(status, venue.venue)[leg].second_copies;
        });
}

void write_venues(MetricsText& text, const RecorderStatus& status) {
  struct Column {
    std::string_view name;
    MetricType type;
    std::string_view help;
    uint64_t VenueStatus::* value;
  };
  static constexpr Column kColumns[] = {
      {"tapeworks_messages_total", kCounter, "Messages stored in the log.", &VenueStatus::events},
      {"tapeworks_message_bytes_total", kCounter, "Bytes of the messages stored in the log.",
       &VenueStatus::event_bytes},
      {"tapeworks_blocked_messages_total", kCounter,
       "Messages that waited, with their socket, because the log could take no more.",
       &VenueStatus::blocked},
      {"tapeworks_connections_wanted", kGauge, "Connections that should be live.",
       &VenueStatus::connections},
      {"tapeworks_connections_live", kGauge, "Connections that are live.", &VenueStatus::connected},
      {"tapeworks_connects_total", kCounter, "Connections that became usable.",
       &VenueStatus::connects},
      {"tapeworks_connections_lost_total", kCounter,
       "Connections that ended though nobody here wanted it.", &VenueStatus::lost},
      {"tapeworks_connect_failures_total", kCounter, "Attempts to connect that failed.",
       &VenueStatus::failed_attempts},
  };
  for (const Column& column : kColumns) {
    text.family(column.name, column.type, column.help);
    for (const VenueStatus& venue : status.venues) {
      text.sample(venue.*column.value, labels_of(venue.venue));
    }
  }
  text.family("tapeworks_dropped_messages_total", kCounter, "Messages given up by a loss policy.");
  for (const VenueStatus& venue : status.venues) {
    for (const auto& [cause, by_stream] : venue.dropped_counts) {
      for (const auto& [stream, count] : by_stream) {
        Labels labels = labels_of(venue.venue);
        labels.emplace_back("stream", stream);
        labels.emplace_back("cause", name_of(cause));
        text.sample(count, labels);
      }
    }
  }
}

/// Of venues of which gaps were looked for.
void write_backfill(MetricsText& text, const RecorderStatus& status) {
  const auto write = [&](std::string_view name, MetricType type, std::string_view help,
                         auto value_of) {
    text.family(name, type, help);
    for (const auto& [venue, backfill] : status.backfill) {
      text.sample(value_of(venue, backfill), labels_of(venue));
    }
  };
  write("tapeworks_backfill_open_gaps", kGauge, "Gaps of trades that are to be filled.",
        [](Venue, const BackfillStatus& backfill) { return backfill.open_gaps; });
  write("tapeworks_backfill_requests_total", kCounter, "Requests for trades that were missed.",
        [](Venue, const BackfillStatus& backfill) { return backfill.requests; });
  write("tapeworks_backfill_refusals_total", kCounter,
        "Such requests that were refused because there were too many.",
        [](Venue, const BackfillStatus& backfill) { return backfill.refused; });
  write("tapeworks_backfilled_rows_total", kCounter, "Rows made of fetched trades.",
        [&](Venue venue, const BackfillStatus&) {
          return status.sink.counts.backfilled[static_cast<size_t>(venue)];
        });
  text.family("tapeworks_backfill_gaps_total", kCounter,
              "Gaps that are not looked for any more, by how that ended.");
  for (const auto& [venue, backfill] : status.backfill) {
    for (const BackfillEnd end :
         {BackfillEnd::kFilled, BackfillEnd::kPartlyFilled, BackfillEnd::kGivenUp}) {
      Labels labels = labels_of(venue);
      labels.emplace_back("end", name_of(end));
      text.sample(backfill.ended[static_cast<size_t>(end)], labels);
    }
  }
}

void write_rows(MetricsText& text, const RecorderStatus& status) {
  const RowCounts& counts = status.sink.counts;
  text.family("tapeworks_frames_total", kCounter,
              "Messages that the sink has taken from the log, by what they were.");
  for (const auto& [kind, count] : counts.frame_kinds) text.sample(count, {{"kind", kind}});
  write_one(text, "tapeworks_rows_total", kCounter, "Rows made of messages.", counts.rows);
  write_one(text, "tapeworks_decode_errors_total", kCounter,
            "Messages that could not be decoded and lie in _quarantine.", counts.quarantined);
  write_one(text, "tapeworks_repeats_total", kCounter,
            "Rows left out because the exchange had sent them before.", counts.repeats);
  write_one(text, "tapeworks_standby_rows_total", kCounter,
            "Rows left out because another connection supplied their stream.", counts.standby_rows);
  write_one(text, "tapeworks_gaps_total", kCounter, "Rows of _gaps, of all causes.", counts.gaps);
  write_one(text, "tapeworks_sequence_holes_total", kCounter,
            "Holes in the numbers of contiguous streams.", counts.holes);
  write_one(text, "tapeworks_sequence_resets_total", kCounter,
            "Numbers of a stream that began again.", counts.resets);
}

void write_log_and_files(MetricsText& text, const RecorderStatus& status,
                         const MetricsReading& reading) {
  const SinkStatus& sink = status.sink.status;
  write_one(text, "tapeworks_queue_records", kGauge,
            "Records of the log that the sink has not taken.", status.queue_records);
  write_one(text, "tapeworks_queue_bytes", kGauge, "Bytes that wait to be made durable.",
            status.queue_bytes);
  write_one(
      text, "tapeworks_lag_seconds", kGauge,
      "From the receipt of the last record that the sink took until now; 0 when nothing waits.",
      status.lag_seconds);
  write_one(text, "tapeworks_log_end_lsn", kGauge, "Number that the next record will get.",
            status.end_lsn);
  write_one(text, "tapeworks_log_durable_lsn", kGauge, "Every record up to here is durable.",
            status.durable_lsn);
  write_one(text, "tapeworks_log_consumed_lsn", kGauge, "Last record that the sink has taken.",
            sink.consumed_lsn);
  write_one(text, "tapeworks_log_checkpoint_lsn", kGauge,
            "Every record up to here is durable in parts or files.", sink.checkpoint_lsn);
  write_one(text, "tapeworks_log_published_lsn", kGauge,
            "Every record up to here is in published files.", status.published_lsn);
  write_one(text, "tapeworks_log_synced", kGauge,
            "1 when durable means synced; 0 with wal.sync = none.",
            uint64_t{status.is_durable ? 1U : 0U});
  write_one(text, "tapeworks_log_bytes", kGauge, "Size of the log's folder.", reading.log_bytes);
  write_one(text, "tapeworks_archived_segments_total", kCounter,
            "Closed segments of the log that were compressed.", status.segments.archived_segments);
  write_one(text, "tapeworks_removed_segments_total", kCounter,
            "Segments of the log that were removed, their records published.",
            status.segments.removed_segments);
  write_one(text, "tapeworks_deleted_files_total", kCounter,
            "Published files that retention deleted.", sink.deleted.files);
  write_one(text, "tapeworks_open_partitions", kGauge, "Files whose hour is not over.",
            sink.open_partitions);
  write_one(text, "tapeworks_parts", kGauge, "Parts that wait to be joined.", sink.parts);
  write_one(text, "tapeworks_waiting_merges", kGauge, "Files that wait to be made of their parts.",
            sink.waiting_merges);
  write_one(text, "tapeworks_published_files_total", kCounter, "Files published.",
            sink.published_files);
  write_one(text, "tapeworks_evictions_total", kCounter,
            "Parts written early because memory was short.", sink.evictions);
  write_one(text, "tapeworks_buffered_bytes", kGauge, "Memory for rows that are in no part yet.",
            sink.buffered_bytes);
  write_one(text, "tapeworks_column_bytes", kGauge,
            "Columns and pages of the part or file that is being made.", sink.column_bytes);
  write_one(text, "tapeworks_state_bytes", kGauge,
            "About what is remembered of streams and connections.", sink.state_bytes);
  write_one(text, "tapeworks_row_group_rows", kGauge, "Rows of a row group in published files.",
            status.row_group_rows);
}

void write_latencies(MetricsText& text, const RecorderStatus& status,
                     const MetricsReading& reading) {
  text.family("tapeworks_receive_to_durable_seconds", kHistogram,
              "From the receipt of a message until it was durable in the log.");
  text.histogram(reading.durability.receive_to_durable);
  text.family("tapeworks_exchange_to_receive_seconds", kHistogram,
              "From the exchange's time of a row to its receipt, by two clocks.");
  for (const VenueStatus& venue : status.venues) {
    for (size_t leg = 0; leg < venue.legs.size(); ++leg) {
      text.histogram(legs_of(status, venue.venue)[leg].exchange_to_receive,
                     labels_of(venue.venue, leg));
    }
  }
}

void write_machine(MetricsText& text, const RecorderStatus& status, const MetricsReading& reading) {
  write_one(text, "tapeworks_healthy", kGauge, "1 when /healthz says so.",
            uint64_t{reading.is_healthy ? 1U : 0U});
  write_one(text, "tapeworks_memory_limit_bytes", kGauge, "The limit given by --memory.",
            reading.memory_limit_bytes);
  write_one(
      text, "tapeworks_heap_bytes", kGauge,
      "What the program has from the allocator; what is resident beyond is rows, code, stacks "
      "and freed memory that the allocator keeps.",
      status.heap_bytes);
  text.family("tapeworks_disk_free_bytes", kGauge, "Room on the device of a folder.");
  text.sample(reading.log_free_bytes, {{"folder", "log"}});
  text.sample(reading.output_free_bytes, {{"folder", "output"}});
  write_one(
      text, "tapeworks_disk_step", kGauge,
      "0 when there is room, 1 below disk.min_free, 2 when feeds are stopped, 3 when it is full.",
      uint64_t{static_cast<uint8_t>(status.disk)});
  write_one(text, "tapeworks_paused_feeds", kGauge,
            "Feeds that are closed because the disk is short.", status.paused_feeds);
  text.family("tapeworks_build_info", kGauge, "Always 1; the version is a label.");
  text.sample(uint64_t{1}, {{"version", reading.version}});
  write_one(text, "process_resident_memory_bytes", kGauge, "Resident memory.",
            status.resident_bytes);
  write_one(text, "process_virtual_memory_bytes", kGauge, "Virtual memory.", status.virtual_bytes);
  write_one(text, "process_start_time_seconds", kGauge, "Start of the recorder since 1970.",
            reading.start_time_seconds);
}

}  // namespace

std::string render_metrics(const RecorderStatus& status, const MetricsReading& reading) {
  MetricsText text;
  write_venues(text, status);
  write_legs(text, status);
  write_backfill(text, status);
  write_rows(text, status);
  write_log_and_files(text, status, reading);
  write_latencies(text, status, reading);
  write_machine(text, status, reading);
  return text.text();
}

}  // namespace tapeworks::recorder
