#include "recorder/sink/sampled_legs.h"

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <utility>
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

TEST(SampledLegs, TheNextSocketOfTheLegThatCountsIsTakenUntilTheActiveOneSpeaks) {
  Script script;
  EXPECT_EQ(script.row(kOld, 1), Verdict::kTaken);
  // Its twin becomes the active one and has not asked for the stream; the leg gets another socket.
  script.active = kNew;
  EXPECT_EQ(script.row(kNext, 2), Verdict::kTaken);
  EXPECT_EQ(script.row(kNew, 2), Verdict::kLeftOut);
  EXPECT_EQ(script.row(kNew, 3), Verdict::kTaken);
  EXPECT_EQ(script.row(kNext, 3), Verdict::kLeftOut);
}

TEST(SampledLegs, OlderPushesOfAnActiveLegThatIsBehindAreTakenAndTheOthersNotAgain) {
  Script script;
  EXPECT_EQ(script.row(kNew, 101), Verdict::kTaken);
  // It had asked earlier, and its pushes come later.
  EXPECT_EQ(script.row(kOld, 100), Verdict::kTaken);
  EXPECT_EQ(script.row(kOld, 101), Verdict::kLeftOut);
  EXPECT_EQ(script.row(kOld, 102), Verdict::kTaken);
}

TEST(SampledLegs, WhatALegOwedIsNotTakenAgainFromItsNextSocket) {
  Script script;
  EXPECT_EQ(script.row(kOld, 1), Verdict::kTaken);
  EXPECT_EQ(script.row(kNew, 2), Verdict::kLeftOut);
  script.active = kNew;
  EXPECT_EQ(script.row(kNew, 3), Verdict::kTaken);
  EXPECT_EQ(script.row(kOld, 2), Verdict::kTakenLate);
  EXPECT_EQ(script.row(kNext, 2), Verdict::kLeftOut);
}

TEST(SampledLegs, WhatFellBetweenTwoSocketsOfTheStandInIsTaken) {
  Script script;
  script.active = kNew;
  EXPECT_EQ(script.row(kOld, 101), Verdict::kTaken);
  EXPECT_EQ(script.row(kNext, 104), Verdict::kTaken);
  // The active leg asked before that, and is behind.
  EXPECT_EQ(script.row(kNew, 102), Verdict::kTaken);
  EXPECT_EQ(script.row(kNew, 103), Verdict::kTaken);
  EXPECT_EQ(script.row(kNew, 104), Verdict::kLeftOut);
  EXPECT_EQ(script.row(kNew, 105), Verdict::kTaken);
}

TEST(SampledLegs, AStandInThatBecomesTheActiveLegIsOneNoMore) {
  Script script;
  script.active = kNew;
  EXPECT_EQ(script.row(kOld, 1'000), Verdict::kTaken);
  script.active = kOld;
  EXPECT_EQ(script.row(kOld, 1'001), Verdict::kTaken);
  // Numbers that begin again with the next leg, and pass those before.
  script.active = kNew;
  for (const int64_t number : {999, 1'000, 1'001}) {
    EXPECT_EQ(script.row(kNew, number), Verdict::kTaken);
  }
}

TEST(SampledLegs, ALogThatBeginsBehindTheConnectLosesNoRows) {
  Script script;
  script.active = Session{0, 0};
  EXPECT_EQ(script.row(Session{1, 0}, 1), Verdict::kTaken);
  EXPECT_EQ(script.row(Session{1, 0}, 2), Verdict::kTaken);
  EXPECT_EQ(script.row(Session{0, 0}, 3), Verdict::kTaken);
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
/// changes again and again, and the old socket goes on until it has brought what the new one is
/// not sent. The other leg's socket is made anew now and then, and asks for the stream some pushes
/// later. In the middle of it all the state goes through a checkpoint.
class LegScript {
 public:
  explicit LegScript(uint64_t seed) : random_(seed) {}

  void step() {
    ++sent_;
    for (Socket& socket : sockets_) {
      if (sent_ < socket.asks_at) continue;
      socket.under_way.push_back(sent_);
      expected_.insert(sent_);
    }
    for (Socket& socket : sockets_) {
      for (uint64_t burst = random_() % 3; burst > 0 && !socket.under_way.empty(); --burst) {
        bring(socket);
      }
    }
    Socket& other = sockets_[1 - active_];
    const bool owes_nothing = other.under_way.empty() || other.under_way.front() > changed_at_push_;
    const bool may_happen = owes_nothing && sent_ > quiet_until_push_ && random_() % 20 == 0;
    if (may_happen && random_() % 2 == 0) {
      active_ = 1 - active_;
      changed_at_push_ = std::max(sent_, sockets_[active_].asks_at - 1);
      quiet_until_push_ = sent_ + 2 * kAsksLaterMax;
    } else if (may_happen && is_covered(other)) {
      renew(other);
      quiet_until_push_ = sent_ + 2 * kAsksLaterMax;
    }
    if (random_() % 100 == 0) pass_checkpoint();
  }

  void expect_each_once() {
    for (Socket& socket : sockets_) {
      while (!socket.under_way.empty()) bring(socket);
    }
    for (const int64_t number : expected_) ASSERT_EQ(taken_[number], 1) << number;
    ASSERT_EQ(taken_.size(), expected_.size());
  }

 private:
  static constexpr int64_t kAsksLaterMax = 30;

  struct Socket {
    Session session;
    int64_t asks_at = 1;  ///< the first push that it is sent
    std::deque<int64_t> under_way{};
  };

  void bring(Socket& socket) {
    const int64_t number = socket.under_way.front();
    socket.under_way.pop_front();
    const Session active = sockets_[active_].session;
    const auto& owner = legs_.owner();
    const bool were_together =
        owner && owner->leg != active.leg &&
        met_.contains({std::min(owner->lsn, active.lsn), std::max(owner->lsn, active.lsn)});
    const auto verdict =
        legs_.judge({socket.session, number, now_ns_ += 1'000}, active, were_together);
    if (verdict != Verdict::kLeftOut) ++taken_[number];
  }

  /// Whether the active socket brings all that the other one has under way.
  bool is_covered(const Socket& other) const {
    return other.under_way.empty() || other.under_way.front() >= sockets_[active_].asks_at;
  }

  void renew(Socket& socket) {
    const int64_t asks_at = sent_ + 1 + static_cast<int64_t>(random_() % kAsksLaterMax);
    socket = Socket{{socket.session.leg, next_lsn_++}, asks_at};
    met_.insert({sockets_[active_].session.lsn, socket.session.lsn});
  }

  void pass_checkpoint() {
    ByteWriter out;
    legs_.save(out);
    legs_.save_floors(out);
    ByteReader in(out.bytes());
    legs_ = SampledLegs::load(in);
    legs_.load_floors(in);
    ASSERT_TRUE(in.ok() && in.at_end());
  }

  std::mt19937_64 random_;
  SampledLegs legs_;
  std::array<Socket, 2> sockets_{Socket{{0, 1}}, Socket{{1, 2}, 20}};
  std::set<std::pair<uint64_t, uint64_t>> met_{{1, 2}};  // sockets, the older one first
  uint64_t next_lsn_ = 3;
  size_t active_ = 1;
  int64_t sent_ = 0;
  int64_t now_ns_ = 0;
  int64_t changed_at_push_ = 19;  // what the active socket is not sent, up to here
  int64_t quiet_until_push_ = 0;
  std::map<int64_t, int> taken_;
  std::set<int64_t> expected_;
};

void change_legs(uint64_t seed) {
  SCOPED_TRACE(fmt::format("seed {}", seed));
  LegScript script(seed);
  for (int step = 0; step < 50'000; ++step) script.step();
  script.expect_each_once();
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
  LogState state_{RowRules{.dedupe_window_rows = 100}};
  RowMaker maker_{state_, *this};
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

TEST_F(LegChange, ASocketThatIsBeingClosedDoesNotStandInForOneThatItWasNeverBeside) {
  const uint64_t first = depth(0, 1);
  connect(1);
  change_to(1);
  const uint64_t second = depth(1, 2);
  disconnect(0, "replaced");
  disconnect(1, "disconnect");
  connect(1);
  depth(0, 3);  // its peer has not heard of the close yet
  const uint64_t third = depth(1, 3);
  EXPECT_EQ(rows(), (std::vector<uint64_t>{first, second, third}));
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
  EXPECT_EQ(maker_.counts().resets, 0U);
  EXPECT_EQ(gap_count_, 0);
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
