#include "recorder/sink/sequence_ranges.h"

#include <limits>
#include <set>

#include <gtest/gtest.h>

#include "base/random.h"

namespace tapeworks::recorder {
namespace {

using Ranges = std::vector<SequenceRange>;

TEST(SequenceRanges, NumbersThatFollowEachOtherAreOneRange) {
  SequenceRanges ranges;
  ranges.add(5, 5);
  ranges.add(7, 9);
  EXPECT_EQ(ranges.size(), 2U);
  ranges.add(6, 6);
  EXPECT_EQ(ranges.size(), 1U);
  ranges.add(9, 3);
  EXPECT_EQ(ranges.size(), 1U) << "an empty range is none";
}

TEST(SequenceRanges, WhatIsExplainedIsNotMissing) {
  SequenceRanges ranges;
  for (const int64_t first : {10, 20, 30}) ranges.add(first, first + 2);
  SequenceRanges explained;
  EXPECT_EQ(ranges.missing(explained, 9), (Ranges{{13, 19}, {23, 29}}));
  explained.add(1, 14);
  explained.add(16, 16);
  explained.add(19, 24);
  EXPECT_EQ(ranges.missing(explained, 9), (Ranges{{15, 15}, {17, 18}, {25, 29}}));
  EXPECT_EQ(ranges.missing(explained, 2), (Ranges{{15, 15}, {17, 18}}));
  explained.add(13, 29);
  EXPECT_TRUE(ranges.missing(explained, 9).empty());
}

TEST(SequenceRanges, TheLowestAndTheHighestNumberAreNumbersLikeOthers) {
  constexpr int64_t kLowest = std::numeric_limits<int64_t>::min();
  constexpr int64_t kHighest = std::numeric_limits<int64_t>::max();
  SequenceRanges ranges;
  ranges.add(kHighest, kHighest);
  ranges.add(kLowest, kLowest);
  SequenceRanges explained;
  EXPECT_EQ(ranges.missing(explained, 9), (Ranges{{kLowest + 1, kHighest - 1}}));
  explained.add(kLowest, kHighest);
  EXPECT_TRUE(ranges.missing(explained, 9).empty());
}

TEST(SequenceRanges, AgreesWithASetOfNumbers) {
  uint64_t drawn = 0;
  const auto below = [&](uint32_t count) {
    return int64_t{random_below(random_bits(7, drawn++), count)};
  };
  for (int round = 0; round < 300; ++round) {
    SequenceRanges ranges[2];
    std::set<int64_t> numbers[2];
    for (int i = 0; i < 24; ++i) {
      const int which = i % 2;
      const int64_t first = below(60);
      const int64_t last = first + below(5);
      ranges[which].add(first, last);
      for (int64_t number = first; number <= last; ++number) numbers[which].insert(number);
    }
    std::set<int64_t> expected;
    for (int64_t number = *numbers[0].begin(); number < *numbers[0].rbegin(); ++number) {
      if (!numbers[0].contains(number) && !numbers[1].contains(number)) expected.insert(number);
    }
    std::set<int64_t> found;
    for (const auto& [first, last] : ranges[0].missing(ranges[1], 99)) {
      for (int64_t number = first; number <= last; ++number) found.insert(number);
    }
    EXPECT_EQ(found, expected) << "round " << round;
  }
}

}  // namespace
}  // namespace tapeworks::recorder
