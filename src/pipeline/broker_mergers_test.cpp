#include "pipeline/broker_mergers.h"

#include <gtest/gtest.h>

#include "pipeline/pnl_test_support.h"

namespace tapeworks {
namespace {

using test::day;
using test::value_of;

const Day kD1 = day("2023-03-01");
const Day kD2 = day("2023-06-01");
const Day kD3 = day("2023-09-01");

Day after(Day date) { return Day{date.days_since_epoch + 1}; }

BrokerMergers mergers_of(std::vector<BrokerMerger> list) {
  for (size_t i = 0; i < list.size(); ++i) list[i].line = i + 1;
  return value_of(BrokerMergers::make(std::move(list), "map"));
}

std::string refusal_of(std::vector<BrokerMerger> list) {
  for (size_t i = 0; i < list.size(); ++i) list[i].line = i + 1;
  const auto made = BrokerMergers::make(std::move(list), "map");
  if (made) return "accepted";
  EXPECT_EQ(made.error().kind, ErrorKind::kCorrupt);
  return made.error().message;
}

TEST(BrokerMergers, EndWithTheirLastDay) {
  const auto map = mergers_of({{"A", "B", kD1}});
  EXPECT_EQ(map.successor("A", kD1), "B");
  EXPECT_EQ(map.successor("A", after(kD1)), "A");
  EXPECT_EQ(map.successor("B", kD1), "B");
  EXPECT_EQ(map.successor("C", kD1), "C");
  EXPECT_EQ(map.last_day_of_successor("A", day("2020-01-01")), kD1);
}

TEST(BrokerMergers, WithoutADayHoldForGood) {
  const auto map = mergers_of({{"A", "B", {}}, {"B", "C", {}}});
  EXPECT_EQ(map.successor("A", day("9999-12-31")), "C");
  EXPECT_EQ(map.successor("B", kNullDay), "C");
}

TEST(BrokerMergers, FollowAChainInTime) {
  const auto map = mergers_of({{"B", "C", kD2}, {"C", "D", kD3}, {"A", "B", kD1}});
  EXPECT_EQ(map.successor("A", kD1), "D");
  EXPECT_EQ(map.successor("B", kD1), "D");
  EXPECT_EQ(map.successor("B", after(kD2)), "B");
  EXPECT_EQ(map.successor("C", kD3), "D");
}

TEST(BrokerMergers, ChainOfOneDayIsFollowed) {
  EXPECT_EQ(mergers_of({{"A", "B", kD1}, {"B", "C", kD1}}).successor("A", kD1), "C");
}

TEST(BrokerMergers, DoNotFollowAMergerBeforeTheirOwn) {
  // Another branch was called B by the time A became part of it.
  const auto map = mergers_of({{"B", "C", kD1}, {"A", "B", kD2}});
  EXPECT_EQ(map.successor("A", kD1), "B");
  EXPECT_EQ(map.successor("B", kD1), "C");
}

TEST(BrokerMergers, OfACodeGivenTwiceGoTheirOwnWays) {
  const auto map = mergers_of({{"A", "C", kD2}, {"A", "B", kD1}});
  EXPECT_EQ(map.successor("A", kD1), "B");
  EXPECT_EQ(map.successor("A", after(kD1)), "C");
  EXPECT_EQ(map.successor("A", after(kD2)), "A");
}

TEST(BrokerMergers, TellCodesApartByCase) {
  const auto map = mergers_of({{"116b", "116B", {}}});
  EXPECT_EQ(map.successor("116b", kD1), "116B");
  EXPECT_EQ(map.successor("116B", kD1), "116B");
}

TEST(BrokerMergers, RefuseACodeThatMergesIntoItself) {
  EXPECT_EQ(refusal_of({{"A", "B", kD1}, {"C", "C", kD1}}),
            "map: line 2: broker C cannot merge into itself; remove the line");
}

TEST(BrokerMergers, RefuseAnEmptyCode) {
  EXPECT_NE(refusal_of({{"", "B", kD1}}).find("line 1: a broker code is empty"), std::string::npos);
  EXPECT_NE(refusal_of({{"A", "", kD1}}).find("line 1: a broker code is empty"), std::string::npos);
}

TEST(BrokerMergers, RefuseTwoFatesOnOneDay) {
  EXPECT_NE(refusal_of({{"A", "C", kD1}, {"X", "Y", kD1}, {"A", "B", kD1}})
                .find("line 3: broker A merges on the same day as in line 1"),
            std::string::npos);
  EXPECT_NE(refusal_of({{"A", "B", {}}, {"A", "B", {}}}).find("line 2"), std::string::npos);
}

TEST(BrokerMergers, RefuseACycleWhateverItsDays) {
  EXPECT_EQ(refusal_of({{"X", "A", kD1}, {"B", "A", kD2}, {"A", "B", kD1}, {"B", "Y", kD3}}),
            "map: line 3: broker A merging into B closes a cycle of 2 mergers; a code cannot come "
            "back to itself");
  EXPECT_NE(refusal_of({{"A", "B", {}}, {"C", "A", {}}, {"B", "C", {}}}).find("line 3"),
            std::string::npos);
}

TEST(BrokerMergers, LongChainIsResolvedOnce) {
  std::vector<BrokerMerger> list;
  constexpr int kLength = 100'000;
  for (int i = 0; i < kLength; ++i) {
    list.push_back({std::to_string(i), std::to_string(i + 1), std::nullopt});
  }
  EXPECT_EQ(mergers_of(std::move(list)).successor("0", kD1), std::to_string(kLength));
}

}  // namespace
}  // namespace tapeworks
