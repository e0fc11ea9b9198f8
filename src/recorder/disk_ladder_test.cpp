#include "recorder/disk_ladder.h"

#include <gtest/gtest.h>

namespace tapeworks::recorder {
namespace {

TEST(DiskLadderTest, ClimbsByTheRoomThatIsLeft) {
  DiskLadder ladder(1000, {0});
  EXPECT_EQ(ladder.round(1000).step, DiskStep::kFine);
  EXPECT_EQ(ladder.round(999).step, DiskStep::kLow);
  EXPECT_EQ(ladder.round(500).step, DiskStep::kLow);
  EXPECT_EQ(ladder.round(499).step, DiskStep::kStopFeeds);
  EXPECT_EQ(ladder.round(250).step, DiskStep::kStopFeeds);
  EXPECT_EQ(ladder.round(249).step, DiskStep::kFull);
}

TEST(DiskLadderTest, SkipsStepsWhenTheDiskFillsAtOnce) {
  DiskLadder ladder(1000, {0, 1});
  const DiskOrders orders = ladder.round(0);
  EXPECT_EQ(orders.step, DiskStep::kFull);
  EXPECT_FALSE(orders.may_run(1));
}

TEST(DiskLadderTest, ComesDownOnlyWithAQuarterMore) {
  DiskLadder ladder(1000, {0});
  ASSERT_EQ(ladder.round(200).step, DiskStep::kFull);
  EXPECT_EQ(ladder.round(311).step, DiskStep::kFull);
  EXPECT_EQ(ladder.round(312).step, DiskStep::kStopFeeds);
  EXPECT_EQ(ladder.round(623).step, DiskStep::kStopFeeds);
  EXPECT_EQ(ladder.round(624).step, DiskStep::kLow);
  EXPECT_EQ(ladder.round(1248).step, DiskStep::kLow);
  EXPECT_EQ(ladder.round(1249).step, DiskStep::kFine);
}

TEST(DiskLadderTest, StopsFeedsByPriorityOneARoundAndNotTheLast) {
  DiskLadder ladder(1000, {7, 0, 3, 0});
  ladder.round(900);
  DiskOrders orders = ladder.round(400);
  EXPECT_FALSE(orders.may_run(0));
  EXPECT_TRUE(orders.may_run(3));
  orders = ladder.round(400);
  EXPECT_FALSE(orders.may_run(3));
  EXPECT_TRUE(orders.may_run(7));
  EXPECT_TRUE(ladder.round(400).may_run(7));
  EXPECT_FALSE(ladder.round(100).may_run(7));
}

TEST(DiskLadderTest, TheMostImportantFeedsComeBackFirst) {
  DiskLadder ladder(1000, {0, 3, 7});
  ladder.round(0);
  DiskOrders orders = ladder.round(400);
  EXPECT_TRUE(orders.may_run(7));
  EXPECT_FALSE(orders.may_run(3));
  orders = ladder.round(700);
  EXPECT_TRUE(orders.may_run(3));
  EXPECT_FALSE(orders.may_run(0));
  EXPECT_TRUE(ladder.round(700).may_run(0));
}

TEST(DiskLadderTest, OneFeedAloneRunsUntilTheDiskIsFull) {
  DiskLadder ladder(1000, {0});
  for (int round = 0; round < 5; ++round) EXPECT_TRUE(ladder.round(300).may_run(0));
  EXPECT_FALSE(ladder.round(200).may_run(0));
}

TEST(DiskLadderTest, AWriteThatFoundNoRoomCountsForSomeRoundsWhateverTheSystemSays) {
  DiskLadder ladder(1000, {0});
  EXPECT_EQ(ladder.round(5000, true).step, DiskStep::kFull);
  for (int round = 1; round < DiskLadder::kRoundsAfterNoSpace; ++round) {
    EXPECT_EQ(ladder.round(5000).step, DiskStep::kFull);
  }
  EXPECT_EQ(ladder.round(5000).step, DiskStep::kFine);
}

TEST(DiskLadderTest, WithoutALimitNothingIsShort) {
  DiskLadder ladder(0, {0});
  EXPECT_EQ(ladder.round(0).step, DiskStep::kFine);
}

}  // namespace
}  // namespace tapeworks::recorder
