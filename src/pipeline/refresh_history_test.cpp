#include "pipeline/refresh_history.h"

#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace tapeworks {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;

RefreshHistory with_full(double seconds, uint64_t input_bytes) {
  RefreshHistory history;
  history.full = MeasuredRun{.ended_s = 1, .seconds = seconds, .input_bytes = input_bytes};
  return history;
}

TEST(RefreshPlan, HasTheFourBandsOfTheDesign) {
  const auto advice = [](double seconds) {
    return plan_refresh(with_full(seconds, 10), 10).advice;
  };
  EXPECT_EQ(advice(1799), RefreshAdvice::kFull);
  EXPECT_EQ(advice(1800), RefreshAdvice::kConsiderIncremental);
  EXPECT_EQ(advice(7199), RefreshAdvice::kConsiderIncremental);
  EXPECT_EQ(advice(7200), RefreshAdvice::kIncremental);
  EXPECT_EQ(advice(86399), RefreshAdvice::kIncremental);
  EXPECT_EQ(advice(86400), RefreshAdvice::kIncrementalOnly);
}

TEST(RefreshPlan, GrowsWithTheInput) {
  const RefreshPlan plan = plan_refresh(with_full(1000, 10), 20);
  EXPECT_EQ(plan.full_seconds, 2000.0);
  EXPECT_EQ(plan.advice, RefreshAdvice::kConsiderIncremental);
}

TEST(RefreshPlan, WithoutAMeasurementIsFull) {
  const RefreshPlan plan = plan_refresh({}, 10);
  EXPECT_EQ(plan.advice, RefreshAdvice::kFull);
  EXPECT_FALSE(plan.full_seconds);
}

TEST(RefreshHistory, VerificationIsDueAfterItsTimeAndWhenThereWasNone) {
  EXPECT_TRUE(is_verification_due(std::nullopt, 0, hours{1}));
  EXPECT_FALSE(is_verification_due(1000, 1000 + 3599, hours{1}));
  EXPECT_TRUE(is_verification_due(1000, 1000 + 3600, hours{1}));
}

TEST(RefreshHistory, EverythingIsVerifiedSinceTheOlderOfTheTwo) {
  RefreshHistory history;
  history.summary_verified_s = 5;
  EXPECT_EQ(history.all_verified_s(), std::nullopt);
  history.pnl_verified_s = 7;
  EXPECT_EQ(history.all_verified_s(), 5);
  history.pnl_verified_s = 3;
  EXPECT_EQ(history.all_verified_s(), 3);
}

class RefreshHistoryFile : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / fmt::format("refresh_history_{}", ::getpid());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  void write(const std::string& text) { std::ofstream(folder_ / "run.json") << text; }

  fs::path folder_;
};

TEST_F(RefreshHistoryFile, ReadsBackAsWritten) {
  RefreshHistory history = with_full(12.5, 1000);
  history.incremental = MeasuredRun{.ended_s = 5, .seconds = 0.5, .input_bytes = 2000};
  history.summary_verified_s = 77;
  history.pnl_verified_s = 78;
  nlohmann::ordered_json info;
  add_refresh_history(history, info);
  write(info.dump());
  const RefreshHistory read = read_refresh_history(folder_);
  ASSERT_TRUE(read.full && read.incremental);
  EXPECT_EQ(read.full->seconds, 12.5);
  EXPECT_EQ(read.incremental->input_bytes, 2000U);
  EXPECT_EQ(read.summary_verified_s, 77);
  EXPECT_EQ(read.pnl_verified_s, 78);
}

TEST_F(RefreshHistoryFile, WhatMakesNoSenseIsNothing) {
  for (const char* text :
       {"", "[]", "{", R"({"refreshes": 1})", R"({"refreshes": {"full": {}}})",
        R"({"refreshes": {"full": {"ended_s": "x"}, "summary_verified_s": "y"}})"}) {
    write(text);
    const RefreshHistory history = read_refresh_history(folder_);
    EXPECT_FALSE(history.full || history.incremental || history.summary_verified_s) << text;
  }
  EXPECT_FALSE(read_refresh_history(folder_ / "nowhere").full);
}

}  // namespace
}  // namespace tapeworks
