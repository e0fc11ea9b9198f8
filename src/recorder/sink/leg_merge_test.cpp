#include "recorder/sink/leg_merge.h"

#include <algorithm>
#include <map>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace tapeworks::recorder {
namespace {

using Kind = SequenceFinding::Kind;
using Session = LegMerge::Session;

TEST(LegMerge, ARowBehindTheOtherLegIsNoReset) {
  LegMerge merge;
  const Session fast{0, 10};
  const Session slow{1, 11};
  for (int64_t n = 1; n <= 5; ++n) merge.note(fast, n, 12, slow.lsn);
  EXPECT_TRUE(merge.other_copy(slow, -7)) << "both were there before the first row";
  // What a socket brings that was made later is newer, but for the first row after a reset.
  EXPECT_FALSE(merge.other_copy({1, 13}, -7));
  EXPECT_TRUE(merge.other_copy(slow, 2));
  merge.note(slow, 2, 13, fast.lsn);
  EXPECT_TRUE(merge.other_copy(slow, 3));
  // Against its own order it is one.
  EXPECT_FALSE(merge.other_copy(slow, 0));
}

TEST(LegMerge, AHoleWaitsForTheLegThatIsBehind) {
  LegMerge merge;
  const Session a{0, 10};
  const Session b{1, 11};
  merge.note(a, 1, 12, b.lsn);
  merge.note(b, 1, 12, a.lsn);
  ASSERT_TRUE(merge.await(a, b.lsn, {Kind::kHole, 2, 4, true}));
  merge.note(a, 5, 12, b.lsn);
  EXPECT_TRUE(merge.fill(2));
  EXPECT_TRUE(merge.fill(4));
  EXPECT_FALSE(merge.fill(4));
  EXPECT_TRUE(merge.take_lost(a, 6, {a.lsn, b.lsn}).empty());
  const auto lost = merge.take_lost(b, 5, {a.lsn, b.lsn});
  ASSERT_EQ(lost.size(), 1U);
  EXPECT_EQ(lost[0].from, 3);
  EXPECT_EQ(lost[0].to, 3);
  EXPECT_TRUE(lost[0].across_connections);
  EXPECT_FALSE(merge.has_holes());
}

TEST(LegMerge, ALegThatGoesFillsNothing) {
  LegMerge merge;
  merge.note({0, 10}, 1, 12, 11);
  merge.note({1, 11}, 1, 12, 10);
  ASSERT_TRUE(merge.await({0, 10}, 11, {Kind::kHole, 2, 4}));
  EXPECT_EQ(merge.take_lost({0, 10}, 6, {10, 0}).size(), 1U);
}

TEST(LegMerge, NothingIsAwaitedOfALegThatHasBroughtNothing) {
  LegMerge merge;
  merge.note({0, 10}, 1, 12, 0);
  EXPECT_FALSE(merge.await({0, 10}, 0, {Kind::kHole, 2, 4}));
  EXPECT_FALSE(merge.await({0, 10}, 11, {Kind::kHole, 2, 4}));
}

TEST(LegMerge, SurvivesACheckpoint) {
  LegMerge merge;
  merge.note({0, 10}, 1, 12, 11);
  merge.note({1, 11}, 7, 12, 10);
  ASSERT_TRUE(merge.await({0, 10}, 11, {Kind::kHole, 2, 4, true}));
  ByteWriter out;
  merge.save(out);
  ByteReader in(out.bytes());
  LegMerge again = LegMerge::load(in);
  EXPECT_TRUE(in.ok() && in.at_end());
  EXPECT_TRUE(again.other_copy({0, 10}, 2));
  EXPECT_TRUE(again.fill(3));
  EXPECT_EQ(again.take_all().size(), 2U);
}

bool is_copy(const LegMerge& merge, const Session& session, int64_t sequence) {
  const auto copy = merge.other_copy(session, sequence);
  return copy && copy->covers(sequence);
}

TEST(LegMerge, WhatALegBroughtBeforeItWasCutIsACopyStill) {
  LegMerge merge;
  const Session slow{1, 11};
  for (int64_t n = 1; n <= 5; ++n) merge.note({0, 10}, n, 12, slow.lsn);
  merge.note(slow, 1, 13, 10);
  merge.note({0, 20}, 9, 21, slow.lsn);
  ByteWriter out;
  merge.save(out);
  merge.save_earlier(out);
  ByteReader in(out.bytes());
  LegMerge again = LegMerge::load(in);
  again.load_earlier(in);
  EXPECT_TRUE(in.ok() && in.at_end());
  for (int64_t n = 2; n <= 5; ++n) {
    ASSERT_TRUE(is_copy(again, slow, n)) << n;
    again.note(slow, n, 22, 20);
  }
  EXPECT_FALSE(again.has_earlier()) << "the other leg has passed it";
  EXPECT_FALSE(is_copy(again, slow, 7)) << "no session had it";
}

TEST(LegMerge, ALegThatHasBroughtNothingYetMayBeBehindAnEarlierSessionToo) {
  LegMerge merge;
  const Session slow{1, 11};
  for (int64_t n = 1; n <= 600; ++n) merge.note({0, 10}, n, 12, slow.lsn);
  merge.note({0, 20}, 601, 21, slow.lsn);
  EXPECT_TRUE(is_copy(merge, slow, 40));
}

TEST(LegMerge, ASocketMadeLaterIsNotBehindAnEarlierSession) {
  LegMerge merge;
  merge.note({0, 10}, 1, 12, 11);
  for (int64_t n = 1; n <= 20; ++n) merge.note({1, 11}, n, 12, 10);
  merge.note({1, 20}, 1000, 21, 10);
  EXPECT_TRUE(is_copy(merge, {0, 10}, 5));
  EXPECT_FALSE(is_copy(merge, {0, 30}, 5)) << "its numbers have begun again";
  merge.note({0, 30}, 1001, 31, 20);
  EXPECT_FALSE(merge.has_earlier());
}

TEST(LegMerge, AFeedWithOneLegKeepsNoEarlierSessions) {
  LegMerge merge;
  for (uint64_t session = 10; session < 100; session += 10) {
    const auto leg = static_cast<uint8_t>(session / 10 % 2);
    const auto first = static_cast<int64_t>(session);
    // Its successor begins while it is there, and only then it goes.
    merge.note({leg, session}, first, session + 1, session == 10 ? 0 : session - 10);
    merge.note({leg, session}, first + 9, session + 2, 0);
    EXPECT_FALSE(merge.has_earlier()) << session;
  }
}

TEST(LegMerge, OnlySoManyEarlierSessionsAreKept) {
  LegMerge merge;
  const Session slow{1, 1};
  merge.note(slow, 0, 2, 0);
  const auto sessions = static_cast<int64_t>(LegMerge::kEarlierMax) + 2;
  for (int64_t n = 1; n <= sessions; ++n) {
    merge.note({0, static_cast<uint64_t>(2 + n)}, 10 * n, 99, slow.lsn);
  }
  EXPECT_FALSE(is_copy(merge, slow, 10));
  for (int64_t n = 2; n <= sessions; ++n) EXPECT_TRUE(is_copy(merge, slow, 10 * n)) << n;
}

/// Two legs of one stream, each in order and whole, one ahead of the other by ever other amounts,
/// often beyond the window, and each made anew now and then.
void merge_two_legs(SequenceClass sequence_class, int64_t step, uint64_t seed) {
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937_64 random(seed);
  SequenceTracker tracker(sequence_class, 16);
  LegMerge merge;
  std::array<int64_t, 2> next{1 + static_cast<int64_t>(random() % 60),
                              1 + static_cast<int64_t>(random() % 60)};
  const int64_t first = std::min(next[0], next[1]);
  // What the other leg has missed, this one must bring before it is cut.
  std::array<int64_t, 2> owed_up_to{next[1], next[0]};
  std::array<uint64_t, 2> sessions{1, 2};
  uint64_t lsn = 3;
  std::map<int64_t, int> taken;
  for (int i = 0; i < 20'000; ++i) {
    const auto leg = static_cast<uint8_t>(random() % 2);
    const auto other = static_cast<size_t>(1 - leg);
    if (random() % 500 == 0 && next[leg] >= owed_up_to[leg]) {
      // Cut, and connected again: it goes on with what happens now, where the other one may not be,
      // be that this one was behind or ahead.
      sessions[leg] = lsn++;
      next[leg] = std::max(next[leg], next[other]) + static_cast<int64_t>(random() % 3);
      owed_up_to[other] = next[leg];
    }
    for (uint64_t burst = random() % 40; burst > 0; --burst) {
      const int64_t sequence = next[leg]++ * step;
      const Session session{leg, sessions[leg]};
      const auto finding = tracker.observe(sequence, static_cast<uint64_t>(sequence) + 1,
                                           merge.other_copy(session, sequence));
      merge.note(session, sequence, lsn++, sessions[other]);
      ASSERT_NE(finding.kind, Kind::kReset) << sequence;
      if (finding.kind == Kind::kHole) merge.await(session, sessions[other], finding);
      if (finding.kind == Kind::kLate) merge.fill(sequence);
      const bool is_between = finding.kind == Kind::kEarlier;
      if (is_between && finding.missing_from <= finding.missing_to) {
        merge.await_between(session, finding);
      }
      if (finding.kind != Kind::kRepeat) ++taken[sequence];
      EXPECT_TRUE(merge.take_lost(session, sequence, sessions).empty()) << sequence;
    }
  }
  const int64_t last = std::min(next[0], next[1]);
  for (int64_t n = first; n < last; ++n) ASSERT_EQ(taken[n * step], 1) << n * step;
}

TEST(LegMerge, EachNumberIsTakenOnceHoweverFarTheLegsAreApart) {
  const uint64_t seed = std::random_device()();
  for (uint64_t i = 0; i < 5; ++i) {
    merge_two_legs(SequenceClass::kContiguous, 1, seed + i);
    merge_two_legs(SequenceClass::kRising, 3, seed + i);
  }
}

}  // namespace
}  // namespace tapeworks::recorder
