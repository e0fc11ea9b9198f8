#include "recorder/sink/sampled_legs.h"

#include <deque>
#include <map>
#include <random>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "recorder/sink/row_maker.h"
#include "recorder/sink/sink_test_support.h"

namespace tapeworks::recorder {
namespace {

using Session = LegMerge::Session;
using Verdict = SampledLegs::Verdict;

constexpr Session kOld{0, 10};
constexpr Session kNew{1, 11};
constexpr Session kNext{0, 12};

/// Rows of both legs, of which `active` counts.
class Script {
 public:
  Verdict row(const Session& of, int64_t number) {
    return legs.judge({of, number, now_ns += 1'000'000}, active, were_together);
  }

  SampledLegs legs;
  Session active = kOld;
  bool were_together = true;
  int64_t now_ns = 0;
};

TEST(SampledLegs, TheActiveLegCounts) {
  Script script;
  EXPECT_EQ(script.row(kOld, 1), Verdict::kTaken);
  EXPECT_EQ(script.row(kNew, 1), Verdict::kLeftOut);
  EXPECT_EQ(script.row(kNew, 2), Verdict::kLeftOut);
  EXPECT_EQ(script.row(kOld, 2), Verdict::kTaken);
}

TEST(SampledLegs, WhatTheOldLegHasBroughtIsNotTakenAgain) {
  Script script;
  EXPECT_EQ(script.row(kOld, 1), Verdict::kTaken);
  EXPECT_EQ(script.row(kOld, 2), Verdict::kTaken);
  EXPECT_EQ(script.row(kNew, 1), Verdict::kLeftOut);
  script.active = kNew;
  EXPECT_EQ(script.row(kNew, 2), Verdict::kLeftOut);
  EXPECT_EQ(script.row(kOld, 3), Verdict::kLeftOut);
  EXPECT_EQ(script.row(kNew, 3), Verdict::kTaken);
}

TEST(SampledLegs, WhatTheNewLegBroughtTooEarlyIsTakenFromTheOldOne) {
  Script script;
  EXPECT_EQ(script.row(kOld, 1), Verdict::kTaken);
  EXPECT_EQ(script.row(kNew, 2), Verdict::kLeftOut);
  script.active = kNew;
  EXPECT_EQ(script.row(kNew, 3), Verdict::kTaken);
  EXPECT_EQ(script.row(kOld, 2), Verdict::kTakenLate);
  EXPECT_EQ(script.row(kOld, 3), Verdict::kLeftOut);
  EXPECT_EQ(script.row(kNew, 4), Verdict::kTaken);
}

TEST(SampledLegs, WhatTheNewLegHadNotAskedForYetIsTakenFromTheOldOne) {
  Script script;
  EXPECT_EQ(script.row(kOld, 1), Verdict::kTaken);
  script.active = kNew;
  EXPECT_EQ(script.row(kOld, 2), Verdict::kTaken);
  // The new one begins with the fourth push; the third one was sent before.
  EXPECT_EQ(script.row(kNew, 4), Verdict::kTaken);
  EXPECT_EQ(script.row(kOld, 3), Verdict::kTakenLate);
  EXPECT_EQ(script.row(kOld, 4), Verdict::kLeftOut);
  EXPECT_EQ(script.row(kNew, 5), Verdict::kTaken);
}

TEST(SampledLegs, WhatTheFirstActiveLegHadNotAskedForYetIsTakenFromTheOtherOne) {
  Script script;
  EXPECT_EQ(script.row(kNew, 1), Verdict::kTaken);
  EXPECT_EQ(script.row(kNew, 2), Verdict::kTaken);
  EXPECT_EQ(script.row(kOld, 2), Verdict::kLeftOut);
  EXPECT_EQ(script.row(kOld, 3), Verdict::kTaken);
  EXPECT_EQ(script.row(kNew, 3), Verdict::kLeftOut);
}

TEST(SampledLegs, WhatTheNextActiveLegHadNotAskedForYetIsTakenFromTheOtherOne) {
  Script script;
  EXPECT_EQ(script.row(kOld, 5), Verdict::kTaken);
  // Both sockets are made anew behind an outage, and the standby is the first to bring the stream.
  script.active = kNext;
  script.were_together = false;
  EXPECT_EQ(script.row(kNew, 7), Verdict::kTaken);
  script.were_together = true;
  EXPECT_EQ(script.row(kNext, 7), Verdict::kLeftOut);
  EXPECT_EQ(script.row(kNext, 8), Verdict::kTaken);
}

TEST(SampledLegs, UnchangedPushesAreCounted) {
  Script script;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(script.row(kOld, 7), Verdict::kTaken);
  // It begins while the same push is repeated: this is the third one.
  EXPECT_EQ(script.row(kNew, 7), Verdict::kLeftOut);
  EXPECT_EQ(script.row(kOld, 7), Verdict::kTaken);
  script.active = kNew;
  EXPECT_EQ(script.row(kNew, 7), Verdict::kLeftOut);
  EXPECT_EQ(script.row(kNew, 7), Verdict::kTaken);
}

TEST(SampledLegs, ASocketThatCameAfterTheOldOneHadGoneIsTakenWhole) {
  Script script;
  EXPECT_EQ(script.row(kOld, 5), Verdict::kTaken);
  script.active = kNew;
  script.were_together = false;
  EXPECT_EQ(script.row(kNew, 5), Verdict::kTaken);
  EXPECT_EQ(script.row(kNew, 4), Verdict::kTaken);
}

TEST(SampledLegs, NumbersThatBeginAgainAreTaken) {
  Script script;
  EXPECT_EQ(script.row(kOld, 1'000), Verdict::kTaken);
  EXPECT_EQ(script.row(kNew, 999), Verdict::kLeftOut);
  script.active = kNew;
  EXPECT_EQ(script.row(kNew, 1), Verdict::kTaken);
  EXPECT_EQ(script.row(kNew, 2), Verdict::kTaken);
}

TEST(SampledLegs, NumbersThatTheOldLegNeverBroughtAreTaken) {
  Script script;
  EXPECT_EQ(script.row(kOld, 1'000), Verdict::kTaken);
  EXPECT_EQ(script.row(kOld, 1'001), Verdict::kTaken);
  script.active = kNew;
  EXPECT_EQ(script.row(kNew, 1), Verdict::kTaken);
  EXPECT_EQ(script.row(kNew, 2), Verdict::kTaken);
  // The next leg is of the market that has begun again.
  script.active = kNext;
  EXPECT_EQ(script.row(kNext, 2), Verdict::kLeftOut);
  EXPECT_EQ(script.row(kNext, 3), Verdict::kTaken);
}

TEST(SampledLegs, NumbersThatTheOldLegBroughtLongAgoAreTaken) {
  Script script;
  for (int64_t number = 1; number <= 10; ++number) {
    EXPECT_EQ(script.row(kOld, number), Verdict::kTaken);
    script.now_ns += kSecondNs;
  }
  script.active = kNew;
  // A leg that is behind is left out, a market that has begun again is not.
  Script behind = script;
  EXPECT_EQ(behind.row(kNew, 9), Verdict::kLeftOut);
  EXPECT_EQ(script.row(kNew, 3), Verdict::kTaken);
  EXPECT_EQ(script.row(kNew, 4), Verdict::kTaken);
}

TEST(SampledLegs, NothingIsLeftOutForLongerThanALegMayBeBehind) {
  Script script;
  EXPECT_EQ(script.row(kOld, 1), Verdict::kTaken);
  EXPECT_EQ(script.row(kOld, 1'000), Verdict::kTaken);
  script.active = kNew;
  EXPECT_EQ(script.row(kNew, 500), Verdict::kLeftOut);
  script.now_ns += SampledLegs::kLagNsMax;
  EXPECT_EQ(script.row(kNew, 501), Verdict::kTaken);
}

TEST(SampledLegs, ABriefLegBetweenDoesNotBringRowsAgainThatTheFirstOneBrought) {
  Script script;
  EXPECT_EQ(script.row(kOld, 990), Verdict::kTaken);
  EXPECT_EQ(script.row(kOld, 1'000), Verdict::kTaken);
  EXPECT_EQ(script.row(kNew, 991), Verdict::kLeftOut);
  script.active = kNext;
  EXPECT_EQ(script.row(kNext, 1'001), Verdict::kTaken);
  script.active = kNew;
  EXPECT_EQ(script.row(kNew, 992), Verdict::kLeftOut);
  EXPECT_EQ(script.row(kNew, 1'002), Verdict::kTaken);
}

/// Pushes reach two sockets, each in order and some time after they were sent; the active leg
/// changes again and again, and the old socket goes on until it has brought what was sent before
/// that. In the middle of it all the state goes through a checkpoint.
void change_legs(uint64_t seed) {
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937_64 random(seed);
  SampledLegs legs;
  std::array<std::deque<int64_t>, 2> under_way;
  std::array<Session, 2> sessions{Session{0, 1}, Session{1, 2}};
  std::map<int64_t, int> taken;
  uint8_t active = 0;
  int64_t sent = 0;
  int64_t now_ns = 0;
  int64_t changed_at_push = 0;
  for (int step = 0; step < 50'000; ++step) {
    ++sent;
    for (auto& line : under_way) line.push_back(sent);
    for (const uint8_t leg : {uint8_t{0}, uint8_t{1}}) {
      for (uint64_t burst = random() % 3; burst > 0 && !under_way[leg].empty(); --burst) {
        const int64_t number = under_way[leg].front();
        under_way[leg].pop_front();
        now_ns += 1'000;
        const auto verdict = legs.judge({sessions[leg], number, now_ns}, sessions[active], true);
        if (verdict != Verdict::kLeftOut) ++taken[number];
      }
    }
    const auto other = static_cast<size_t>(1 - active);
    const bool is_done = under_way[other].empty() || under_way[other].front() > changed_at_push;
    if (random() % 50 == 0 && is_done) {
      active = static_cast<uint8_t>(other);
      changed_at_push = sent;
    }
    if (random() % 100 == 0) {
      ByteWriter out;
      legs.save(out);
      legs.save_floors(out);
      ByteReader in(out.bytes());
      legs = SampledLegs::load(in);
      legs.load_floors(in);
      ASSERT_TRUE(in.ok() && in.at_end());
    }
  }
  const int64_t arrived =
      sent - static_cast<int64_t>(std::max(under_way[0].size(), under_way[1].size()));
  for (int64_t number = 1; number <= arrived; ++number) ASSERT_EQ(taken[number], 1) << number;
}

TEST(SampledLegs, EachPushIsTakenOnceHoweverOftenTheLegsChange) {
  const uint64_t seed = std::random_device()();
  for (uint64_t i = 0; i < 5; ++i) change_legs(seed + i);
}

/// The same from the log's records on.
class LegChange : public testing::Test, public RowTarget {
 protected:
  LegChange() { connect(0); }

  Status take(TableKind table, const PartitionName&, int64_t, std::span<const std::byte>) override {
    if (table == TableKind::kRows) lsns_.push_back(lsn_);
    if (table == TableKind::kGaps) ++gap_count_;
    return {};
  }
  Status end_symbol(const PartitionName&) override { return {}; }

  void connect(uint8_t leg) {
    log_.event(LogKind::kSubscription, {.symbols = {"AAA"}}, on(leg));
    log_.event(LogKind::kConnect, {}, on(leg));
  }
  uint64_t depth(uint8_t leg, int64_t update) {
    return log_.append(LogKind::kFrame, binance_depth("AAA", update), on(leg));
  }
  void change_to(uint8_t leg, const std::string& cause = "configuration") {
    log_.event(LogKind::kLegSwitch, {.cause = cause}, on(leg));
  }
  void disconnect(uint8_t leg, const std::string& cause) {
    log_.event(LogKind::kDisconnect, {.cause = cause}, on(leg));
  }
  /// LSNs of the rows.
  std::vector<uint64_t> rows() {
    for (size_t i = 0; i < log_.size(); ++i) {
      lsn_ = log_.record(i).lsn;
      EXPECT_TRUE(maker_.take(log_.record(i)));
    }
    return lsns_;
  }
  static LogSource on(uint8_t leg) { return {Venue::kBinanceSpot, leg}; }

  SyntheticLog log_;
  LogState state_{100};
  RowMaker maker_{state_, *this, kHourNs};
  uint64_t lsn_ = 0;
  std::vector<uint64_t> lsns_;
  int gap_count_ = 0;
};

TEST_F(LegChange, ABookThatBothBringAroundTheChangeComesOnce) {
  const uint64_t first = depth(0, 1);
  connect(1);
  const uint64_t second = depth(0, 2);
  depth(1, 2);  // proves the new one
  change_to(1);
  const uint64_t third = depth(1, 2);  // pushed again, and the old one has it still under way
  depth(0, 2);
  depth(0, 3);
  const uint64_t fourth = depth(1, 3);
  disconnect(0, "replaced");
  EXPECT_EQ(rows(), (std::vector<uint64_t>{first, second, third, fourth}));
  EXPECT_EQ(maker_.counts().resets, 0U);
  EXPECT_EQ(gap_count_, 0);
}

TEST_F(LegChange, ABookThatTheNewLegBroughtTooEarlyIsNotLost) {
  const uint64_t first = depth(0, 1);
  connect(1);
  depth(1, 2);
  change_to(1);
  const uint64_t third = depth(1, 3);
  const uint64_t second = depth(0, 2);
  depth(0, 3);
  disconnect(0, "replaced");
  EXPECT_EQ(rows(), (std::vector<uint64_t>{first, third, second}));
  EXPECT_EQ(maker_.counts().resets, 0U);
}

TEST_F(LegChange, ABookThatTheActiveLegHasNotAskedForYetIsNotLost) {
  connect(1);
  const uint64_t first = depth(1, 1);
  depth(0, 1);
  const uint64_t second = depth(0, 2);
  depth(1, 2);
  EXPECT_EQ(rows(), (std::vector<uint64_t>{first, second}));
}

TEST_F(LegChange, ABookWhoseNumbersBeginAgainWithTheNewSocketIsNotLost) {
  const uint64_t first = depth(0, 1'000);
  connect(1);
  disconnect(0, "disconnect");
  const uint64_t second = depth(1, 1);
  const uint64_t third = depth(1, 2);
  EXPECT_EQ(rows(), (std::vector<uint64_t>{first, second, third}));
}

TEST_F(LegChange, TheTimeInWhichTheActiveLegWasSilentIsAGap) {
  connect(1);
  log_.advance(kSecondNs);
  depth(0, 1);
  const int64_t silent_from_ns = log_.time_ns();
  for (int64_t update = 2; update < 5; ++update) {
    log_.advance(kSecondNs);
    depth(1, update);
  }
  change_to(1, "silent");
  const int64_t switched_ns = log_.time_ns();
  depth(1, 5);
  rows();
  ASSERT_EQ(state_.gaps().size(), 1U);
  EXPECT_EQ(state_.gaps()[0].from_ns, silent_from_ns);
  EXPECT_EQ(state_.gaps()[0].to_ns, switched_ns);
}

TEST_F(LegChange, ASuccessorThatGoesBeforeItsPredecessorLeavesAGap) {
  depth(0, 1);
  connect(1);
  depth(1, 1);
  change_to(1);
  disconnect(1, "disconnect");
  disconnect(0, "replaced");
  log_.advance(kSecondNs);
  connect(0);
  rows();
  EXPECT_EQ(gap_count_, 1);
}

}  // namespace
}  // namespace tapeworks::recorder
