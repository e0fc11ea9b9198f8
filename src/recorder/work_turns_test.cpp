#include "recorder/work_turns.h"

#include <chrono>

#include <gtest/gtest.h>

namespace tapeworks::recorder {
namespace {

using namespace std::chrono_literals;

constexpr WorkTurns::Time kBegin{1000s};

TEST(WorkTurns, TheFirstStepIsDueAtOnce) { EXPECT_TRUE(WorkTurns().is_due(kBegin, 0)); }

TEST(WorkTurns, RecordsHaveAsMuchTimeAsAStepTook) {
  WorkTurns turns;
  turns.worked(kBegin, kBegin + 300ms);
  EXPECT_FALSE(turns.is_due(kBegin + 300ms, 1));
  EXPECT_FALSE(turns.is_due(kBegin + 599ms, 1));
  EXPECT_TRUE(turns.is_due(kBegin + 600ms, 1));
}

TEST(WorkTurns, ADeviceThatHungDoesNotKeepFilesWaitingAsLong) {
  WorkTurns turns;
  turns.worked(kBegin, kBegin + 10min);
  EXPECT_FALSE(turns.is_due(kBegin + 10min + 1s, 1));
  EXPECT_TRUE(turns.is_due(kBegin + 10min + WorkTurns::kRecordsTimeMax, 1));
}

TEST(WorkTurns, FilesOfManyHoursDoNotPileUp) {
  WorkTurns turns;
  turns.worked(kBegin, kBegin + 300ms);
  EXPECT_FALSE(turns.is_due(kBegin + 300ms, WorkTurns::kWaitingMergesMax));
  EXPECT_TRUE(turns.is_due(kBegin + 300ms, WorkTurns::kWaitingMergesMax + 1));
}

}  // namespace
}  // namespace tapeworks::recorder
