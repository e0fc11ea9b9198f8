#include "recorder/recorder_status.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace tapeworks::recorder {
namespace {

RecorderStatus some_status() {
  RecorderStatus status;
  status.events = 36'094;
  status.events_per_second = 2'999.4;
  status.connected = 6;
  status.connections = 7;
  status.queue_records = 50;
  status.queue_bytes = 2048;
  status.row_group_rows = 65'536;
  status.lag_seconds = 0.016;
  status.end_lsn = 36'201;
  status.durable_lsn = 36'190;
  status.published_lsn = 17;
  status.resident_bytes = 35 * kMiB;
  status.virtual_bytes = kGiB;
  status.sink.counts.frame_kinds = {{"ack", 14}, {"rows", 36'080}};
  status.sink.status.open_partitions = 187;
  status.sink.status.parts = 3;
  status.sink.status.published_files = 4;
  status.sink.status.evictions = 5;
  return status;
}

TEST(RecorderStatus, TheLineSaysWhatAnOperatorAsks) {
  RecorderStatus status = some_status();
  EXPECT_EQ(render_status(status, StatusFormat::kText),
            "record: 36094 events (2999/s), frames (ack 14, rows 36080), connected 6/7, "
            "queue_len 50 (2.00 KiB buffered), lsn 36200 (durable 36190, published 17), open "
            "187, parts 3, files 4, row_group_rows 65536, evicted 5, dropped_total 0, rss 35.00 "
            "MiB, virtual 1.00 GiB, lag 0.016 s");
  status.sink.counts.frame_kinds.clear();
  EXPECT_TRUE(render_status(status, StatusFormat::kText).contains(", frames none, "));
  status.dropped = 12;
  status.dropped_by_cause = {{DropCause::kLogFull, 12}, {DropCause::kBacklogFull, 0}};
  status.blocked = 2;
  const std::string line = render_status(status, StatusFormat::kText);
  EXPECT_TRUE(line.contains("dropped_total 12 (log_full 12), ")) << line;
  EXPECT_TRUE(line.ends_with(", blocked 2")) << line;
}

TEST(RecorderStatus, TheJsonHasTheSame) {
  RecorderStatus status = some_status();
  status.dropped = 12;
  status.dropped_by_cause = {{DropCause::kLogFull, 10}, {DropCause::kBacklogFull, 2}};
  const auto json = nlohmann::json::parse(render_status(status, StatusFormat::kJson));
  EXPECT_EQ(json["frames"], (nlohmann::json{{"ack", 14}, {"rows", 36'080}}));
  EXPECT_EQ(json["row_group_rows"], 65'536);
  EXPECT_EQ(json["evicted"], 5);
  EXPECT_EQ(json["dropped_total"], 12);
  EXPECT_EQ(json["dropped_by_cause"], (nlohmann::json{{"log_full", 10}, {"backlog_full", 2}}));
  EXPECT_EQ(json["published_lsn"], 17);
  EXPECT_EQ(json["queue_len"], 50);
}

}  // namespace
}  // namespace tapeworks::recorder
