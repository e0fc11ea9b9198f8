#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <arrow/scalar.h>

#include "recorder/sink/sink_test_support.h"

namespace tapeworks::recorder {

inline const LogSource kSpot = source_of(Venue::kBinanceSpot);

/// A log of one connection to Binance, and what a sink makes of it.
class SinkTest : public testing::Test {
 protected:
  SinkTest() {
    options_.output_dir = scratch_.path() / "out";
    log_.event(LogKind::kSubscription, {.symbols = {"AAA"}}, kSpot);
  }

  void trade(int64_t id) {
    log_.append(LogKind::kFrame, binance_trade("AAA", id, log_.time_ns()), kSpot);
  }
  void next_hour() {
    log_.set_time(floor_time(log_.time_ns(), kHourNs) + kHourNs + 6 * kSecondNs);
    log_.heartbeat();
  }
  /// What the log has so far, by a sink that goes on where the last one stopped.
  std::unique_ptr<Sink> run() {
    auto sink = open_sink(options_);
    for (size_t i = 0; i < log_.size(); ++i) {
      if (log_.record(i).lsn < sink->next_lsn()) continue;
      EXPECT_TRUE(feed(*sink, log_, i));
    }
    const Status finished = sink->finish();
    EXPECT_TRUE(finished) << finished.error().message;
    return sink;
  }
  std::filesystem::path hour(const std::string& name) const {
    return options_.output_dir / "binance_spot/AAA/2023-11-14" / (name + ".parquet");
  }
  std::optional<Certificate> certificate(const std::filesystem::path& path) const {
    auto read = read_certificate(path, arrow::default_memory_pool());
    EXPECT_TRUE(read) << read.error().message;
    return read.value_or(std::nullopt);
  }
  std::shared_ptr<arrow::Table> table(const std::filesystem::path& path) const {
    auto rows = read_parquet(path, {}, arrow::default_memory_pool());
    EXPECT_TRUE(rows) << rows.error().message;
    return (*rows)->CombineChunks().ValueOrDie();
  }
  std::string text(const arrow::Table& rows, const std::string& column, int64_t row) const {
    return rows.GetColumnByName(column)->GetScalar(row).ValueOrDie()->ToString();
  }

  ScratchFolder scratch_ = make_scratch();
  SinkOptions options_;
  SyntheticLog log_;
};

}  // namespace tapeworks::recorder
