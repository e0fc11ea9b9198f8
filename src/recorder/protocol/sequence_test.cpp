#include "recorder/protocol/sequence.h"

#include <limits>

#include <gtest/gtest.h>

namespace tapeworks::recorder {
namespace {

using Kind = SequenceFinding::Kind;
constexpr size_t kWindowRows = 8;

TEST(SequenceTracker, FindsHolesOnContiguousStreams) {
  SequenceTracker tracker(SequenceClass::kContiguous, kWindowRows);
  EXPECT_EQ(tracker.observe(100, 1), SequenceFinding{});  // where it begins proves nothing
  EXPECT_EQ(tracker.observe(101, 2), SequenceFinding{});
  EXPECT_EQ(tracker.observe(105, 3), (SequenceFinding{Kind::kHole, 102, 104, false}));
  EXPECT_EQ(tracker.observe(106, 4), SequenceFinding{});
}

TEST(SequenceTracker, KnowsWhatIsStillMissing) {
  SequenceTracker tracker(SequenceClass::kContiguous, kWindowRows);
  EXPECT_EQ(tracker.last(), std::nullopt);
  tracker.observe(100, 1);
  tracker.observe(105, 2);
  EXPECT_EQ(tracker.last(), 105);
  EXPECT_TRUE(tracker.misses(101));
  EXPECT_FALSE(tracker.misses(105));
  EXPECT_EQ(tracker.missing_count(103, 200), 2);
  tracker.fill(103);
  EXPECT_FALSE(tracker.misses(103));
  EXPECT_EQ(tracker.missing_count(101, 104), 3);
  EXPECT_TRUE(tracker.has_seen(105));
  EXPECT_FALSE(tracker.has_seen(103)) << "it was no row of the stream";
}

TEST(SequenceTracker, HolesMeanNothingOnRisingStreams) {
  SequenceTracker tracker(SequenceClass::kRising, kWindowRows);
  tracker.observe(100, 1);
  EXPECT_EQ(tracker.observe(500, 2), SequenceFinding{});
  EXPECT_EQ(tracker.observe(500, 3), SequenceFinding{});  // another push of one state
}

TEST(SequenceTracker, APlaceholderUsesItsNumberUp) {
  SequenceTracker tracker(SequenceClass::kContiguous, kWindowRows);
  tracker.observe(7, 1);
  EXPECT_EQ(tracker.observe(8, 0), SequenceFinding{});
  EXPECT_EQ(tracker.observe(9, 2), SequenceFinding{});
  EXPECT_EQ(tracker.observe(9, 0).kind, Kind::kRepeat);
}

TEST(SequenceTracker, ARepeatHasTheSameValues) {
  SequenceTracker tracker(SequenceClass::kContiguous, kWindowRows);
  tracker.observe(1, 11);
  tracker.observe(2, 12);
  tracker.observe(3, 13);
  EXPECT_EQ(tracker.observe(2, 12).kind, Kind::kRepeat);
  EXPECT_EQ(tracker.observe(3, 13).kind, Kind::kRepeat);
  EXPECT_EQ(tracker.observe(4, 14), SequenceFinding{});  // a repeat changes nothing
  EXPECT_EQ(tracker.observe(2, 99).kind, Kind::kReset);
}

TEST(SequenceTracker, TheWindowIsBounded) {
  SequenceTracker tracker(SequenceClass::kContiguous, kWindowRows);
  for (int64_t i = 1; i <= 9; ++i) tracker.observe(i, static_cast<uint64_t>(100 + i));
  EXPECT_EQ(tracker.observe(2, 102).kind, Kind::kRepeat);
  EXPECT_EQ(tracker.observe(1, 101).kind, Kind::kReset);  // it has left the window
  SequenceTracker without(SequenceClass::kRising, 0);
  without.observe(2, 5);
  without.observe(3, 6);
  EXPECT_EQ(without.observe(2, 5).kind, Kind::kReset);
}

TEST(SequenceTracker, AResetIsAcceptedAndCountsFromThere) {
  SequenceTracker tracker(SequenceClass::kContiguous, kWindowRows);
  tracker.observe(1000, 1);
  EXPECT_EQ(tracker.observe(1, 2).kind, Kind::kReset);
  EXPECT_EQ(tracker.observe(2, 3), SequenceFinding{});
  EXPECT_EQ(tracker.observe(4, 4), (SequenceFinding{Kind::kHole, 3, 3, false}));
}

TEST(SequenceTracker, ALateRowFillsItsHole) {
  SequenceTracker tracker(SequenceClass::kContiguous, kWindowRows);
  tracker.observe(1, 1);
  tracker.observe(6, 6);  // 2 to 5 are missing
  EXPECT_EQ(tracker.observe(4, 4).kind, Kind::kLate);
  EXPECT_EQ(tracker.observe(4, 5).kind, Kind::kReset);  // the hole is filled there
}

TEST(SequenceTracker, SwappedNeighboursAreNoReset) {
  SequenceTracker tracker(SequenceClass::kContiguous, kWindowRows);
  tracker.observe(1, 1);
  EXPECT_EQ(tracker.observe(3, 3).kind, Kind::kHole);
  EXPECT_EQ(tracker.observe(2, 2).kind, Kind::kLate);
  EXPECT_EQ(tracker.observe(4, 4), SequenceFinding{});
}

TEST(SequenceTracker, SaysWhetherAConnectionMayExplainAHole) {
  SequenceTracker tracker(SequenceClass::kContiguous, kWindowRows);
  tracker.observe(1, 1);
  tracker.connection_changed();
  EXPECT_EQ(tracker.observe(4, 4), (SequenceFinding{Kind::kHole, 2, 3, true}));
  EXPECT_EQ(tracker.observe(6, 6), (SequenceFinding{Kind::kHole, 5, 5, false}));
}

TEST(SequenceTracker, ForgetsTheOldestOfTooManyHoles) {
  SequenceTracker tracker(SequenceClass::kContiguous, kWindowRows);
  const auto holes = static_cast<int64_t>(SequenceTracker::kHolesMax);
  SequenceFinding last;
  for (int64_t i = 0; i <= holes + 1; ++i) {
    EXPECT_EQ(last.forgotten, std::nullopt);
    last = tracker.observe(2 * i, static_cast<uint64_t>(i + 1));
  }
  EXPECT_EQ(last.forgotten, (MissingNumbers{1, 1}));
  EXPECT_EQ(tracker.observe(3, 999).kind, Kind::kLate);
  EXPECT_EQ(tracker.observe(1, 998).kind, Kind::kReset);
}

TEST(SequenceTracker, FillingSplitsHolesAndForgetsOneWhenTheyAreTooMany) {
  SequenceTracker tracker(SequenceClass::kContiguous, kWindowRows);
  const auto parts = static_cast<int64_t>(SequenceTracker::kHolePartsMax);
  tracker.observe(0, 1);
  tracker.observe(10 * parts, 2);
  const int64_t missing = 10 * parts - 1;
  for (int64_t i = 1; i < parts; ++i) EXPECT_EQ(tracker.fill(2 * i), std::nullopt);
  EXPECT_EQ(tracker.snapshot().holes.size(), SequenceTracker::kHolePartsMax);
  EXPECT_EQ(tracker.missing_count(0, 10 * parts), missing - (parts - 1));
  EXPECT_EQ(tracker.fill(2 * parts), (MissingNumbers{1, 1}));
  EXPECT_EQ(tracker.snapshot().holes.size(), SequenceTracker::kHolePartsMax);
  EXPECT_EQ(tracker.missing_count(0, 10 * parts), missing - parts - 1);
}

TEST(SequenceTracker, AWindowGetsItsMemoryAtOnceAlsoAfterARestart) {
  constexpr size_t kManyRows = 512;
  constexpr size_t kWindowBytes = 16 * kManyRows;
  SequenceTracker tracker(SequenceClass::kRising, kManyRows);
  tracker.observe(1, 1);
  EXPECT_LT(tracker.memory_bytes(), kWindowBytes / 8);
  for (int64_t number = 2; number <= 40; ++number) tracker.observe(number, 1);
  EXPECT_EQ(tracker.memory_bytes(), kWindowBytes);
  SequenceTracker other(SequenceClass::kRising, kManyRows);
  other.restore(tracker.snapshot());
  EXPECT_EQ(other.memory_bytes(), kWindowBytes);
  for (int64_t number = 41; number <= 1000; ++number) other.observe(number, 1);
  EXPECT_EQ(other.memory_bytes(), kWindowBytes);
}

TEST(SequenceTracker, TheLargestNumbersDoNotOverflow) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  SequenceTracker tracker(SequenceClass::kContiguous, kWindowRows);
  tracker.observe(kMax, 1);
  EXPECT_EQ(tracker.observe(kMax, 2).kind, Kind::kReset);
  EXPECT_EQ(tracker.observe(std::numeric_limits<int64_t>::min(), 3).kind, Kind::kReset);
  EXPECT_EQ(tracker.observe(kMax, 4).kind, Kind::kHole);
}

TEST(RowFingerprint, DependsOnEachValue) {
  EventRow row;
  row.stream = Stream::kTrade;
  row.symbol = "BTCUSDT";
  row.price = 1.0;
  const uint64_t base = row_fingerprint(row);
  EXPECT_EQ(row_fingerprint(row), base);
  const auto differs = [&](auto change) {
    EventRow other = row;
    change(other);
    return row_fingerprint(other) != base;
  };
  EXPECT_TRUE(differs([](EventRow& r) { r.symbol = "BTCUSDC"; }));
  EXPECT_TRUE(differs([](EventRow& r) { r.price = 1.0000000000000002; }));
  EXPECT_TRUE(differs([](EventRow& r) { r.price = std::nullopt, r.quantity = 1.0; }));
  EXPECT_TRUE(differs([](EventRow& r) { r.side = Side::kBuy; }));
  EXPECT_TRUE(differs([](EventRow& r) { r.trade_id = "1"; }));
  EXPECT_TRUE(differs([](EventRow& r) { r.event_time_ns = 0; }));
  EXPECT_TRUE(differs([](EventRow& r) { r.asks[4].quantity = 0.0; }));
  EXPECT_TRUE(differs([](EventRow& r) { r.raw = "{}"; }));
  EXPECT_FALSE(differs([](EventRow& r) { r.flags = kFlagTimeSkew; }));
}

TEST(SequenceClass, OnlyBinancesTradesAreContiguous) {
  for (const Venue venue : kVenues) {
    const bool binance = name_of(venue).exchange == "binance";
    EXPECT_EQ(sequence_class_of(venue, Stream::kTrade),
              binance ? SequenceClass::kContiguous : SequenceClass::kRising);
    EXPECT_EQ(sequence_class_of(venue, Stream::kBook), SequenceClass::kRising);
  }
  EXPECT_EQ(sequence_class_of(Venue::kKucoinSpot, Stream::kL5), SequenceClass::kNone);
}

TEST(SequenceTracker, GoesOnFromASnapshotAsIfNothingHadHappened) {
  for (const size_t window_rows : {0, 3, 50}) {
    SequenceTracker whole(SequenceClass::kContiguous, window_rows);
    SequenceTracker restarted(SequenceClass::kContiguous, window_rows);
    int64_t number = 100;
    for (int step = 0; step < 200; ++step) {
      number += (step * 7) % 5 - 1;
      const auto fingerprint = static_cast<uint64_t>(number % 3 + 1);
      if (step % 31 == 0) {
        whole.connection_changed();
        restarted.connection_changed();
      }
      ASSERT_EQ(whole.observe(number, fingerprint), restarted.observe(number, fingerprint));
      if (step % 13 != 0) continue;
      SequenceTracker next(SequenceClass::kContiguous, window_rows);
      next.restore(restarted.snapshot());
      restarted = next;
    }
  }
}

}  // namespace
}  // namespace tapeworks::recorder
