#include "recorder/sink/retention.h"

#include <nlohmann/json.hpp>

#include "recorder/sink/sink_test_support.h"

namespace tapeworks::recorder {
namespace {

namespace fs = std::filesystem;

const LogSource kSpot = source_of(Venue::kBinanceSpot);

/// Hours 22 and 23 of one day and 00 and 01 of the next are published, 02 is open.
class RetentionTest : public testing::Test {
 protected:
  RetentionTest() {
    options_.output_dir = scratch_.path() / "out";
    sink_ = open_sink(options_);
    log_.event(LogKind::kSubscription, {.symbols = {"AAA", "BBB"}}, kSpot);
    for (int hour = 0; hour < 5; ++hour) {
      trades(10);
      if (hour < 4) next_hour();
    }
    give();
  }

  void trades(int count) {
    for (int i = 0; i < count; ++i) {
      ++id_;
      log_.append(LogKind::kFrame,
                  binance_trade(id_ % 2 == 0 ? "AAA" : "BBB", id_ / 2, log_.time_ns()), kSpot);
    }
  }
  void next_hour() {
    log_.set_time(floor_time(log_.time_ns(), kHourNs) + kHourNs + 6 * kSecondNs);
    log_.heartbeat();
  }
  void give() {
    for (; given_ < log_.size(); ++given_) ASSERT_TRUE(feed(*sink_, log_, given_));
    while (sink_->work().value()) {
    }
  }
  /// How many hours go.
  int delete_all(const RetentionLimits& limits) {
    const uint64_t before = sink_->status().deleted.hours;
    while (true) {
      const auto more = sink_->delete_old(limits);
      EXPECT_TRUE(more) << more.error().message;
      if (!more || !*more) break;
    }
    return static_cast<int>(sink_->status().deleted.hours - before);
  }
  std::vector<std::string> hours() const {
    std::set<std::string> names;
    for (const fs::path& path : hour_files(options_.output_dir)) {
      names.insert(path.parent_path().filename().string() + "/" + path.stem().string());
    }
    return {names.begin(), names.end()};
  }
  uint64_t published_bytes() const {
    uint64_t bytes = 0;
    for (const fs::path& path : hour_files(options_.output_dir)) bytes += fs::file_size(path);
    return bytes;
  }
  void overwrite_top(const std::string& text) const {
    fs::remove(options_.output_dir / kManifestFile);
    ASSERT_TRUE(write_synced_file(options_.output_dir / kManifestFile, text));
  }

  ScratchFolder scratch_ = make_scratch();
  SinkOptions options_;
  SyntheticLog log_;
  std::unique_ptr<Sink> sink_;
  size_t given_ = 0;
  int64_t id_ = 0;
};

using Hours = std::vector<std::string>;

TEST_F(RetentionTest, HoursThatEndedBeforeTheLimitGoAndTheRestIsARecordingStill) {
  ASSERT_EQ(hours(), (Hours{"2023-11-14/22", "2023-11-14/23", "2023-11-15/00", "2023-11-15/01"}));
  const int64_t midnight_ns = floor_time(log_.time_ns(), kDayNs);
  EXPECT_EQ(delete_all({.before_ns = midnight_ns}), 1) << "an hour that ends at the limit stays";
  EXPECT_EQ(delete_all({.before_ns = midnight_ns + 1}), 1);
  EXPECT_EQ(hours(), (Hours{"2023-11-15/00", "2023-11-15/01"}));
  EXPECT_FALSE(fs::exists(options_.output_dir / "binance_spot/AAA/2023-11-14"));
  EXPECT_FALSE(fs::exists(options_.output_dir / "_manifest/2023-11-14/22.json"));
  EXPECT_TRUE(fs::exists(options_.output_dir / "binance_spot/_events/2023-11-14.parquet"));
  expect_verified(options_.output_dir);
  EXPECT_EQ(sink_->status().deleted.files, 4U);
}

TEST_F(RetentionTest, AnExchangeMayGoSoonerOrLaterThanTheOthers) {
  const int64_t midnight_ns = floor_time(log_.time_ns(), kDayNs);
  const LogSource gate = source_of(Venue::kGateFutures);
  for (int hour = 0; hour < 2; ++hour) {
    log_.append(LogKind::kFrame, gate_book("BTC_USDT", 7 + hour, log_.time_ns()), gate, 2);
    trades(2);
    next_hour();
  }
  give();
  const auto files = [&](const std::string& market) {
    return std::ranges::count_if(hour_files(options_.output_dir), [&](const fs::path& path) {
      return path.string().contains("/" + market + "/");
    });
  };
  ASSERT_EQ(files("gate_usdt_futures"), 2);
  const auto binance_files = files("binance_spot");
  // Two whole hours of Binance alone, and Gate's share of those that both have.
  const int64_t after_all_ns = log_.time_ns() + kDayNs;
  EXPECT_EQ(
      delete_all({.before_ns = midnight_ns + 1, .exchange_before_ns = {{"gate", after_all_ns}}}),
      2);
  EXPECT_EQ(files("gate_usdt_futures"), 0);
  EXPECT_EQ(files("binance_spot"), binance_files - 4);
  expect_verified(options_.output_dir);
  // And the other way round: Binance stays.
  EXPECT_EQ(delete_all({.before_ns = after_all_ns,
                        .exchange_before_ns = {{"binance", RetentionLimits::kNever}}}),
            0);
  EXPECT_EQ(files("binance_spot"), binance_files - 4);
}

TEST_F(RetentionTest, NothingGoesThatIsNotPublished) {
  EXPECT_EQ(delete_all({.makes_room = true}), 4);
  EXPECT_TRUE(hours().empty());
  // The open hour was not touched: it comes out whole.
  next_hour();
  give();
  EXPECT_EQ(hours(), Hours{"2023-11-15/02"});
  EXPECT_EQ(published_keys(options_.output_dir).size(), 10U);
  expect_verified(options_.output_dir);
}

TEST_F(RetentionTest, AnHourThatWaitsToBePublishedStays) {
  ASSERT_EQ(delete_all({.makes_room = true}), 4);
  next_hour();
  for (; given_ < log_.size(); ++given_) ASSERT_TRUE(feed(*sink_, log_, given_));
  EXPECT_GT(sink_->status().waiting_merges, 0U);
  EXPECT_EQ(delete_all({.makes_room = true}), 0);
  give();
  EXPECT_EQ(published_keys(options_.output_dir).size(), 10U);
}

TEST_F(RetentionTest, AnHourWithLateRowsStaysUntilTheyArePublished) {
  // The clock goes back into hour 01, which is published, by less than an hour.
  log_.set_time(log_.time_ns() - 30 * 60 * kSecondNs);
  trades(2);
  give();
  EXPECT_EQ(delete_all({.makes_room = true}), 3);
  EXPECT_EQ(hours(), Hours{"2023-11-15/01"});
}

TEST_F(RetentionTest, TheOldestGoUntilTheRestIsSmallEnough) {
  const uint64_t bytes = published_bytes();
  EXPECT_EQ(delete_all({.bytes_max = bytes}), 0);
  EXPECT_EQ(delete_all({.bytes_max = bytes - 1}), 1);
  EXPECT_EQ(delete_all({.bytes_max = bytes * 6 / 10}), 1);
  EXPECT_EQ(hours(), (Hours{"2023-11-15/00", "2023-11-15/01"}));
  // What is published later counts as well.
  next_hour();
  give();
  EXPECT_EQ(delete_all({.bytes_max = bytes * 6 / 10}), 1);
  EXPECT_EQ(hours(), (Hours{"2023-11-15/01", "2023-11-15/02"}));
}

TEST_F(RetentionTest, WithoutALimitNothingGoes) { EXPECT_EQ(delete_all({}), 0); }

TEST_F(RetentionTest, WhatACrashLeftOfADeletionIsFinished) {
  // After the files, before the list; and after the list, before its name.
  fs::remove(options_.output_dir / "binance_spot/AAA/2023-11-14/22.parquet");
  fs::remove(options_.output_dir / "_manifest/2023-11-14/23.json");
  fs::remove(options_.output_dir / "binance_spot/AAA/2023-11-14/23.parquet");
  fs::remove(options_.output_dir / "binance_spot/BBB/2023-11-14/23.parquet");
  EXPECT_EQ(delete_all({.before_ns = floor_time(log_.time_ns(), kDayNs) + 1}), 2);
  expect_verified(options_.output_dir);
}

TEST_F(RetentionTest, AListWhosePathsSayNoTimeStaysAndIsNotInTheWayOfOthers) {
  const fs::path list = options_.output_dir / "_manifest/2023-11-14/22.json";
  std::string text = read_text_file(list).value();
  for (size_t at = 0; (at = text.find("/22.parquet", at)) != std::string::npos;) {
    text.replace(at, 3, "/xx");
  }
  fs::remove(list);
  ASSERT_TRUE(write_synced_file(list, text));
  const int64_t after_all_ns = log_.time_ns() + kDayNs;
  EXPECT_EQ(delete_all({.before_ns = after_all_ns}), 3);
  EXPECT_EQ(delete_all({.bytes_max = 1}), 0);
  EXPECT_EQ(delete_all({.makes_room = true}), 0);
  EXPECT_EQ(hours(), Hours{"2023-11-14/22"});
}

TEST_F(RetentionTest, AnHourWhoseListCannotBeReadStaysAndIsNotInTheWayOfOthers) {
  const fs::path list = options_.output_dir / "_manifest/2023-11-14/22.json";
  fs::resize_file(list, fs::file_size(list) / 2);
  const int64_t after_all_ns = log_.time_ns() + kDayNs;
  testing::internal::CaptureStderr();
  EXPECT_EQ(delete_all({.before_ns = after_all_ns}), 3);
  EXPECT_EQ(delete_all({.makes_room = true}), 0);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(said.contains(list.string())) << said;
  EXPECT_EQ(std::ranges::count(said, '\n'), 1) << said;
  EXPECT_EQ(hours(), Hours{"2023-11-14/22"});
}

TEST_F(RetentionTest, AListThatIsDamagedAfterItWasLookedAtKeepsItsHourToo) {
  EXPECT_EQ(delete_all({.bytes_max = published_bytes()}), 0);
  fs::resize_file(options_.output_dir / "_manifest/2023-11-14/22.json", 10);
  overwrite_top("{");
  EXPECT_EQ(delete_all({.makes_room = true}), 3);
  EXPECT_EQ(hours(), Hours{"2023-11-14/22"});
}

TEST_F(RetentionTest, SavingSpaceFreesPartsAndLogAndChangesNothingPublished) {
  const uint64_t before = sink_->releasable_lsn();
  ASSERT_TRUE(sink_->save_space());
  while (sink_->work().value()) {
  }
  EXPECT_GT(sink_->releasable_lsn(), before);
  // Only the open hour and the open days have parts.
  EXPECT_LE(sink_->status().parts, 4U);
  next_hour();
  give();
  ASSERT_TRUE(sink_->finish());
  const auto published = published_content(options_.output_dir);
  options_.output_dir = scratch_.path() / "undisturbed";
  sink_ = open_sink(options_);
  given_ = 0;
  give();
  ASSERT_TRUE(sink_->finish());
  EXPECT_EQ(published_content(options_.output_dir), published);
}

}  // namespace
}  // namespace tapeworks::recorder
