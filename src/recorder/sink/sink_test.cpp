#include <algorithm>
#include <vector>

#include <parquet/file_reader.h>
#include <parquet/metadata.h>

#include <nlohmann/json.hpp>

#include "recorder/sink/sink_fixture_test_support.h"
#include "storage/fast_file_reader.h"
#include "storage/parquet_read.h"

namespace tapeworks::recorder {
namespace {

TEST_F(SinkTest, AnHourIsPublishedWhenARecordComesAfterItsGrace) {
  trade(1);
  trade(2);
  log_.set_time(floor_time(log_.time_ns(), kHourNs) + kHourNs + 4 * kSecondNs);
  log_.heartbeat();
  run();
  EXPECT_FALSE(std::filesystem::exists(hour("22")));
  log_.advance(kSecondNs);
  log_.heartbeat();
  run();
  const auto found = certificate(hour("22"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->row_count, 2U);
  EXPECT_EQ(found->revision, 1U);
  EXPECT_TRUE(found->complete);
  EXPECT_FALSE(found->partial);
  EXPECT_EQ(found->close_lsn, log_.next_lsn() - 1);
  const auto streams = nlohmann::json::parse(found->streams);
  ASSERT_EQ(streams.size(), 1U);
  EXPECT_EQ(streams[0]["class"], "contiguous");
  EXPECT_EQ(streams[0]["first_sequence"], 1);
  EXPECT_EQ(streams[0]["last_sequence"], 2);
  const auto list = nlohmann::json::parse(
      read_text_file(options_.output_dir / "_manifest/2023-11-14/22.json").value());
  EXPECT_EQ(list["files"][0]["path"], "binance_spot/AAA/2023-11-14/22.parquet");
  EXPECT_EQ(list["files"][0]["rows"], 2);
  const auto top =
      nlohmann::json::parse(read_text_file(options_.output_dir / "_manifest.json").value());
  EXPECT_EQ(top["layout"], "symbol");
  EXPECT_EQ(top["lists"][0], "2023-11-14/22");
}

TEST_F(SinkTest, TheRulesThatTheLogNamesHoldFromTheirRecordOn) {
  const auto row_groups = [&](const std::string& name) {
    return read_parquet_info(hour(name), arrow::default_memory_pool()).value().row_group_rows;
  };
  options_.part_rows = 1;
  log_.event(LogKind::kConfiguration, {.rules = RowRules{.row_group_rows = 3}});
  for (int id = 1; id <= 7; ++id) trade(id);
  next_hour();
  log_.event(LogKind::kConfiguration,
             {.rules = RowRules{.grace_ns = 30 * kSecondNs, .row_group_rows = 2}});
  for (int id = 8; id <= 10; ++id) trade(id);
  next_hour();
  run();
  EXPECT_EQ(row_groups("22"), (std::vector<int64_t>{3, 3, 1}));
  EXPECT_FALSE(std::filesystem::exists(hour("23"))) << "within its grace";
  log_.advance(30 * kSecondNs);
  log_.heartbeat();
  run();
  EXPECT_EQ(row_groups("23"), (std::vector<int64_t>{2, 1}));
}

/// How the first column of the first row group is compressed.
arrow::Compression::type compression_of(const std::filesystem::path& path) {
  const auto footer = parquet::ParquetFileReader::OpenFile(path.string())->metadata();
  return footer->RowGroup(0)->ColumnChunk(0)->compression();
}

std::vector<std::filesystem::path> parts_in(const std::filesystem::path& output_dir) {
  std::vector<std::filesystem::path> parts;
  for (const auto& entry : std::filesystem::directory_iterator(output_dir / ".parts")) {
    if (entry.path().extension() == ".part") parts.push_back(entry.path());
  }
  return parts;
}

TEST_F(SinkTest, PartsAreNotCompressedAndPublishedFilesAre) {
  trade(1);
  next_hour();
  run();
  const auto parts = parts_in(options_.output_dir);
  EXPECT_FALSE(parts.empty());  // they linger
  FastFileReader reader(arrow::default_memory_pool());
  for (const auto& part : parts) {
    EXPECT_EQ(compression_of(part), arrow::Compression::UNCOMPRESSED) << part;
    EXPECT_TRUE(std::ranges::any_of(
        kTableKinds,
        [&](TableKind table) { return reader.read(part, arrow_schema_of(table)) != nullptr; }))
        << part << ": joining it is slow";
  }
  EXPECT_EQ(compression_of(options_.output_dir / "binance_spot/AAA/2023-11-14/22.parquet"),
            arrow::Compression::ZSTD);
}

TEST_F(SinkTest, PartsThatAnotherVersionHasPackedAreJoined) {
  trade(1);
  trade(2);
  run();
  const auto parts = parts_in(options_.output_dir);
  ASSERT_FALSE(parts.empty());
  for (const auto& part : parts) {
    const auto rows = read_parquet(part, {}, arrow::default_memory_pool()).value();
    const auto info = read_parquet_info(part, arrow::default_memory_pool()).value();
    std::filesystem::remove(part);
    ParquetStreamWriter writer(arrow::default_memory_pool(), PagePacking::kSmall);
    ASSERT_TRUE(writer.open(part, rows->schema()->RemoveMetadata()));
    ASSERT_TRUE(writer.append_row_group(*rows));
    ASSERT_TRUE(writer.finish({{kPartitionKey, info.metadata.at(kPartitionKey)}}));
    ASSERT_EQ(compression_of(part), arrow::Compression::ZSTD);
  }
  next_hour();
  run();
  ASSERT_TRUE(certificate(hour("22")));
  EXPECT_EQ(certificate(hour("22"))->row_count, 2U);
}

TEST_F(SinkTest, ACleanStopPublishesTheOpenHourAndItsEndReplacesIt) {
  trade(1);
  log_.stop();
  run();
  const auto stopped = certificate(hour("22"));
  ASSERT_TRUE(stopped);
  EXPECT_FALSE(stopped->complete);
  EXPECT_EQ(stopped->revision, 1U);
  log_.restart();
  trade(2);
  next_hour();
  run();
  const auto ended = certificate(hour("22"));
  EXPECT_TRUE(ended->complete);
  EXPECT_EQ(ended->revision, 2U);
  EXPECT_EQ(ended->row_count, 2U);
}

TEST_F(SinkTest, AStoppedHourBecomesCompleteWithoutNewRows) {
  trade(1);
  log_.stop();
  log_.restart();
  next_hour();
  run();
  const auto ended = certificate(hour("22"));
  EXPECT_TRUE(ended->complete);
  EXPECT_EQ(ended->revision, 2U);
  EXPECT_EQ(ended->row_count, 1U);
}

TEST_F(SinkTest, ASymbolThatIsRemovedIsPublishedWithWhatItHad) {
  trade(1);
  log_.event(LogKind::kSymbol, {.cause = "removed", .symbols = {"BBB"}}, kSpot);
  run();
  EXPECT_FALSE(std::filesystem::exists(hour("22")));
  log_.event(LogKind::kSymbol, {.cause = "removed", .symbols = {"AAA"}}, kSpot);
  run();
  const auto removed = certificate(hour("22"));
  ASSERT_TRUE(removed);
  EXPECT_FALSE(removed->complete);
  EXPECT_EQ(removed->row_count, 1U);
  next_hour();
  run();
  const auto ended = certificate(hour("22"));
  EXPECT_TRUE(ended->complete);
  EXPECT_EQ(ended->revision, 2U);
  const auto events = table(options_.output_dir / "binance_spot/_events/2023-11-14.parquet");
  EXPECT_EQ(text(*events, "event", 2), "symbol");
  EXPECT_EQ(text(*events, "cause", 2), "removed");
  EXPECT_EQ(text(*events, "symbol", 2), "AAA");
}

TEST_F(SinkTest, AConnectionWithoutSymbolsHasNoGapThatNeverEnds) {
  log_.event(LogKind::kSubscription, {.symbols = {"AAA"}}, kSpot);
  log_.event(LogKind::kConnect, {}, kSpot);
  trade(1);
  log_.advance(kSecondNs);
  log_.event(LogKind::kDisconnect, {.cause = "timeout"}, kSpot);
  log_.advance(kSecondNs);
  log_.event(LogKind::kSymbol, {.cause = "removed", .symbols = {"AAA"}}, kSpot);
  next_hour();
  run();
  const auto gaps = table(options_.output_dir / "binance_spot/_gaps/2023-11-14.parquet");
  ASSERT_EQ(gaps->num_rows(), 1);
  EXPECT_EQ(text(*gaps, "cause", 0), "timeout");
  // One that is closed because nobody wants it has none at all.
  log_.event(LogKind::kSubscription, {.symbols = {"CCC"}}, kSpot, 2);
  log_.event(LogKind::kConnect, {}, kSpot, 2);
  log_.event(LogKind::kDisconnect, {.cause = "removed"}, kSpot, 2);
  log_.event(LogKind::kSymbol, {.cause = "removed", .symbols = {"CCC"}}, kSpot, 2);
  log_.stop();
  run();
  EXPECT_EQ(table(options_.output_dir / "binance_spot/_gaps/2023-11-14.parquet")->num_rows(), 1);
}

TEST_F(SinkTest, AConnectionThatIsNoMoreAfterARestartHasAGapThatEnds) {
  log_.event(LogKind::kConnect, {}, kSpot);
  log_.event(LogKind::kSubscription, {.symbols = {"BBB"}}, kSpot, 2);
  log_.event(LogKind::kConnect, {}, kSpot, 2);
  trade(1);
  log_.stop();
  log_.advance(kSecondNs);
  log_.restart();
  log_.general_event(LogKind::kNotice, {.cause = std::string(kConnectionNumbers), .count = 1});
  log_.advance(kSecondNs);
  log_.event(LogKind::kConnect, {}, kSpot);
  log_.stop();
  run();
  const auto gaps = table(options_.output_dir / "binance_spot/_gaps/2023-11-14.parquet");
  ASSERT_EQ(gaps->num_rows(), 2);
  EXPECT_EQ(text(*gaps, "connection", 0), "2");
  EXPECT_EQ(text(*gaps, "cause", 0), "stopped");
  EXPECT_EQ(text(*gaps, "connection", 1), "1");
}

/// Of `_gaps` of Binance spot: connection, cause, seconds from and to, counted from the log's
/// begin.
std::vector<std::string> gaps_in(const arrow::Table& gaps) {
  std::vector<std::string> found;
  for (int64_t row = 0; row < gaps.num_rows(); ++row) {
    const auto value = [&](const std::string& column) {
      return gaps.GetColumnByName(column)->GetScalar(row).ValueOrDie();
    };
    const auto seconds = [&](const std::string& column) {
      const auto& time = static_cast<const arrow::TimestampScalar&>(*value(column));
      return (time.value - SyntheticLog::kBeginNs) / kSecondNs;
    };
    found.push_back(fmt::format("{} {} {}-{}", value("connection")->ToString(),
                                value("cause")->ToString(), seconds("from_time"),
                                seconds("to_time")));
  }
  return found;
}

/// The second process of a log: two connections, of which the second one comes after the numbers.
void restart_with_two(SyntheticLog& log) {
  log.restart();
  log.general_event(LogKind::kStart, {.version = "2"});
  log.advance(kSecondNs);
  log.event(LogKind::kConnect, {}, kSpot);
  log.general_event(LogKind::kNotice, {.cause = std::string(kConnectionNumbers), .count = 2});
  log.advance(kSecondNs);
  log.event(LogKind::kConnect, {}, kSpot, 2);
}

TEST_F(SinkTest, WhatAKilledProcessMayHaveReceivedOnNewConnectionsIsAGap) {
  log_ = SyntheticLog();
  log_.general_event(LogKind::kStart, {.version = "1"});
  log_.advance(kSecondNs);
  log_.heartbeat();  // the last that became durable; nobody knows which connections there were
  log_.advance(10 * kSecondNs);
  restart_with_two(log_);
  // Whoever comes later was in no process that was killed.
  log_.event(LogKind::kConnect, {}, kSpot, 3);
  log_.stop();
  run();
  const auto gaps = table(options_.output_dir / "binance_spot/_gaps/2023-11-14.parquet");
  const std::vector<std::string> expected{"1 process_ended 1-12", "2 process_ended 1-13"};
  EXPECT_EQ(gaps_in(*gaps), expected);
}

TEST_F(SinkTest, ANewConnectionThatTwoKilledProcessesMayHaveHadLacksTheTimeOfBoth) {
  log_ = SyntheticLog();
  log_.general_event(LogKind::kStart, {.version = "1"});
  log_.advance(kSecondNs);
  log_.restart();
  log_.general_event(LogKind::kStart, {.version = "1"});
  log_.event(LogKind::kConnect, {}, kSpot);
  log_.advance(kSecondNs);
  run();  // the numbers are known to nobody yet, and a checkpoint has to say so
  restart_with_two(log_);
  log_.stop();
  run();
  const auto gaps = table(options_.output_dir / "binance_spot/_gaps/2023-11-14.parquet");
  const std::vector<std::string> expected{"1 process_ended 0-1", "1 process_ended 1-3",
                                          "2 process_ended 0-4"};
  EXPECT_EQ(gaps_in(*gaps), expected);
}

TEST_F(SinkTest, AProcessThatSaidThatItEndsReceivedNothingThatIsNotKnown) {
  log_ = SyntheticLog();
  log_.general_event(LogKind::kStart, {.version = "1"});
  log_.stop();
  log_.heartbeat();
  log_.advance(kSecondNs);
  restart_with_two(log_);
  log_.stop();
  run();
  EXPECT_FALSE(std::filesystem::exists(options_.output_dir / "binance_spot/_gaps"));
}

TEST_F(SinkTest, RowsForAPublishedHourReplaceItsFile) {
  trade(1);
  next_hour();
  run();
  log_.advance(-10 * 60 * kSecondNs);  // the clock was set back
  trade(2);
  log_.set_time(SyntheticLog::kBeginNs + kHourNs);
  next_hour();
  run();
  const auto late = certificate(hour("22"));
  EXPECT_EQ(late->revision, 2U);
  EXPECT_EQ(late->row_count, 2U);
  EXPECT_EQ(published_keys(options_.output_dir).size(), 2U);
}

TEST_F(SinkTest, AClockThatWasFarAheadForAMomentKeepsNoHourOpen) {
  trade(1);
  const int64_t now_ns = log_.time_ns();
  log_.advance(70 * 365 * kDayNs);
  trade(2);
  log_.set_time(now_ns + kSecondNs);
  trade(3);
  next_hour();
  run();
  const auto found = certificate(hour("22"));
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->complete);
  EXPECT_EQ(found->row_count, 2U);
  EXPECT_EQ(found->revision, 2U);
}

TEST_F(SinkTest, MissingValuesAreNullAndTextsAreWhatTheyMean) {
  trade(4);
  log_.append(LogKind::kFrame, binance_book("AAA", 9), kSpot);
  next_hour();
  run();
  const auto rows = table(hour("22"));
  ASSERT_EQ(rows->num_rows(), 2);
  EXPECT_EQ(text(*rows, "stream", 0), "trade");
  EXPECT_EQ(text(*rows, "trade_id", 0), "4");
  EXPECT_EQ(text(*rows, "side", 0), "sell");
  EXPECT_EQ(text(*rows, "price", 0), "104.5");
  EXPECT_EQ(text(*rows, "bid_price_1", 0), "null");
  EXPECT_EQ(text(*rows, "stream", 1), "book");
  EXPECT_EQ(text(*rows, "bid_price_1", 1), "104.1");
  EXPECT_EQ(text(*rows, "price", 1), "null");
  EXPECT_EQ(text(*rows, "side", 1), "null");
  EXPECT_EQ(text(*rows, "event_time", 1), "null");
  EXPECT_EQ(text(*rows, "exchange", 1), "binance");
  EXPECT_EQ(text(*rows, "transport", 1), "json");
}

TEST_F(SinkTest, RepeatsAreDroppedAndHolesNamed) {
  trade(1);
  log_.append(LogKind::kFrame, binance_trade("AAA", 1, SyntheticLog::kBeginNs), kSpot);
  trade(5);
  next_hour();
  const auto sink = run();
  EXPECT_EQ(sink->counts().repeats, 1U);
  EXPECT_EQ(sink->counts().holes, 1U);
  const auto gaps = table(options_.output_dir / "binance_spot/_gaps/2023-11-14.parquet");
  ASSERT_EQ(gaps->num_rows(), 1);
  EXPECT_EQ(text(*gaps, "cause", 0), "sequence_hole");
  EXPECT_EQ(text(*gaps, "from_sequence", 0), "2");
  EXPECT_EQ(text(*gaps, "to_sequence", 0), "4");
  EXPECT_EQ(text(*gaps, "missing_count", 0), "3");
  const auto found = certificate(hour("22"));
  EXPECT_EQ(nlohmann::json::parse(found->gaps)[0]["missing_count"], 3);
}

TEST_F(SinkTest, ConnectionGapsAreRowsAndStandInTheCertificate) {
  log_.event(LogKind::kConnect, {.url = "wss://x"}, kSpot);
  trade(1);
  const int64_t last_ns = log_.time_ns();
  log_.advance(5 * kSecondNs);
  log_.event(LogKind::kDisconnect, {.cause = "timeout"}, kSpot);
  log_.advance(5 * kSecondNs);
  log_.event(LogKind::kConnect, {.url = "wss://x"}, kSpot);
  next_hour();
  run();
  const auto gaps = table(options_.output_dir / "binance_spot/_gaps/2023-11-14.parquet");
  ASSERT_EQ(gaps->num_rows(), 1);
  EXPECT_EQ(text(*gaps, "cause", 0), "timeout");
  const auto& from =
      static_cast<const arrow::TimestampArray&>(*gaps->GetColumnByName("from_time")->chunk(0));
  EXPECT_EQ(from.Value(0), last_ns);
  const auto found = certificate(hour("22"));
  EXPECT_EQ(nlohmann::json::parse(found->gaps)[0]["cause"], "timeout");
  const auto events = table(options_.output_dir / "binance_spot/_events/2023-11-14.parquet");
  EXPECT_EQ(events->num_rows(), 4);  // the subscription, two connects, one disconnect
}

TEST_F(SinkTest, FramesThatDoNotDecodeGoIntoQuarantine) {
  log_.append(LogKind::kFrame, "{\"s\":\"AAA\",", kSpot);
  next_hour();
  const auto sink = run();
  EXPECT_EQ(sink->counts().quarantined, 1U);
  const auto rows = table(options_.output_dir / "binance_spot/_quarantine/2023-11-14.parquet");
  ASSERT_EQ(rows->num_rows(), 1);
  const auto& payload =
      static_cast<const arrow::BinaryArray&>(*rows->GetColumnByName("payload")->chunk(0));
  EXPECT_EQ(payload.GetView(0), "{\"s\":\"AAA\",");
}

TEST_F(SinkTest, ALostRecordIsAGapOfAllFiles) {
  trade(1);
  LogHole hole;
  hole.segment = "s.wal";
  hole.first_missing_lsn = log_.next_lsn();
  hole.missing_count = 3;
  hole.reason = "checksum";
  auto sink = open_sink(options_);
  for (size_t i = 0; i < log_.size(); ++i) ASSERT_TRUE(feed(*sink, log_, i));
  ASSERT_TRUE(sink->consume(hole));
  EXPECT_EQ(sink->next_lsn(), hole.first_missing_lsn + 3);
  ASSERT_TRUE(sink->finish());
  sink.reset();
  for (int i = 0; i < 3; ++i) log_.heartbeat();
  next_hour();
  run();
  next_hour();
  run();  // the table of the gap is looked at again, and not changed
  EXPECT_EQ(nlohmann::json::parse(certificate(hour("22"))->gaps)[0]["cause"], "log_damage");
  EXPECT_TRUE(std::filesystem::exists(options_.output_dir / "_gaps/2023-11-14.parquet"));
}

TEST_F(SinkTest, AReplayCutInsideAnHourIsPartialAndReplacesNothing) {
  trade(1);
  const uint64_t middle = log_.next_lsn();
  trade(2);
  next_hour();
  trade(3);
  next_hour();
  run();
  const auto live = published_content(options_.output_dir);
  options_.replay = true;
  options_.rows_from_lsn = middle;
  const auto kept = run();
  EXPECT_EQ(kept->status().kept_files, 1U);
  const auto after = published_content(options_.output_dir);
  for (const auto& [name, bytes] : live) {
    if (name.ends_with(".parquet")) {
      EXPECT_TRUE(after.at(name) == bytes || name.find("/_") != std::string::npos) << name;
    }
  }
  // Elsewhere the cut hour is there and says what it is; the next one is whole.
  options_.output_dir = scratch_.path() / "elsewhere";
  run();
  EXPECT_TRUE(certificate(hour("22"))->partial);
  EXPECT_EQ(certificate(hour("22"))->row_count, 1U);
  EXPECT_FALSE(certificate(hour("23"))->partial);
  EXPECT_TRUE(read_text_file(hour("23")).value() ==
              live.at("binance_spot/AAA/2023-11-14/23.parquet"));
}

TEST_F(SinkTest, PartsThatTheLogNoLongerExplainsArePublished) {
  trade(1);
  run();  // stays a part
  std::filesystem::remove(options_.output_dir / ".parts/checkpoint");
  // A log that was lost and begun anew above what the recording knows.
  SyntheticLog fresh;
  while (fresh.next_lsn() < 50) fresh.heartbeat();
  fresh.set_time(floor_time(fresh.time_ns(), kHourNs) + kHourNs + 6 * kSecondNs);
  fresh.heartbeat();
  log_ = fresh;
  auto sink = open_sink(options_);
  for (size_t i = 10; i < log_.size(); ++i) ASSERT_TRUE(feed(*sink, log_, i));
  log_.advance(kHourNs);
  log_.heartbeat();
  ASSERT_TRUE(feed(*sink, log_, log_.size() - 1));
  ASSERT_TRUE(sink->finish());
  ASSERT_TRUE(certificate(hour("22")));
  EXPECT_EQ(certificate(hour("22"))->row_count, 1U);
}

TEST_F(SinkTest, AnotherLayoutAndASecondSinkAreRefused) {
  trade(1);
  next_hour();
  {
    const auto sink = run();
    const auto second = Sink::open(options_, arrow::default_memory_pool());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, ErrorKind::kIo);
  }
  options_.layout = Layout::kMarket;
  const auto other = Sink::open(options_, arrow::default_memory_pool());
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().kind, ErrorKind::kInvalidArgument);
}

TEST_F(SinkTest, ADamagedPublishedFileIsSetAside) {
  trade(1);
  next_hour();
  run();
  std::filesystem::resize_file(hour("22"), 100);
  log_.advance(-10 * 60 * kSecondNs);
  trade(2);
  log_.set_time(SyntheticLog::kBeginNs + kHourNs);
  next_hour();
  const auto sink = run();
  EXPECT_EQ(sink->status().set_aside_files, 1U);
  EXPECT_TRUE(std::filesystem::exists(options_.output_dir / ".parts/set_aside" /
                                      "binance_spot/AAA/2023-11-14/22.parquet.damaged"));
  EXPECT_TRUE(certificate(hour("22")));
}

TEST_F(SinkTest, TheLogMayForgetOnlyWhatIsPublished) {
  trade(1);
  const uint64_t first_row = log_.next_lsn() - 1;
  const auto open = run();
  EXPECT_LT(open->releasable_lsn(), first_row);
}

TEST_F(SinkTest, PartsGoAfterTheirLinger) {
  options_.parts_linger_ns = 30 * kSecondNs;
  trade(1);
  next_hour();
  auto sink = open_sink(options_);
  size_t fed = 0;
  const auto feed_all = [&] {
    for (; fed < log_.size(); ++fed) ASSERT_TRUE(feed(*sink, log_, fed));
    while (sink->work().value()) {
    }
  };
  feed_all();
  EXPECT_GT(sink->status().parts, 0U);
  log_.advance(31 * kSecondNs);
  log_.heartbeat();
  feed_all();
  EXPECT_EQ(sink->status().parts, 0U);
  EXPECT_GE(sink->status().checkpoint_lsn, log_.next_lsn() - 3);
}

}  // namespace
}  // namespace tapeworks::recorder
