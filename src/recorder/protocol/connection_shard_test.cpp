#include "recorder/protocol/connection_shard.h"

#include <gtest/gtest.h>

#include "recorder/protocol/connection_test_support.h"

namespace tapeworks::recorder {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Kind = Notice::Kind;

/// A shard against a server that does as it is told.
class ShardScript {
 public:
  explicit ShardScript(uint64_t random_key = 11, RateWindow* budget = nullptr,
                       bool has_two_legs = false)
      : shard(options_of({"A", "B"}), budget != nullptr ? *budget : own_budget, random_key,
              has_two_legs) {}

  static ConnectionOptions options_of(std::initializer_list<const char*> symbols) {
    return {Venue::kBinanceSpot, keys_of(symbols, {Stream::kTrade}), "", "", ""};
  }

  /// Identifiers of the connections that were opened so far.
  std::vector<uint64_t> opened() const {
    std::vector<uint64_t> ids;
    for (const Action& action : out.actions) {
      if (action.kind == Action::Kind::kOpen) ids.push_back(action.connection);
    }
    return ids;
  }
  std::vector<uint64_t> closed() const {
    std::vector<uint64_t> ids;
    for (const Action& action : out.actions) {
      if (action.kind == Action::Kind::kClose) ids.push_back(action.connection);
    }
    return ids;
  }
  void start() { shard.start(at(now), out); }
  void accept(uint64_t id) {
    shard.on_open(at(now), id, out);
    receive(id, R"({"result":null,"id":1})");
  }
  void receive(uint64_t id, std::string_view text) {
    shard.on_message(at(now), id, text_frame(text), out);
  }
  void speak(uint64_t id) { receive(id, binance_trade("A", ++trade_id)); }
  void lose(uint64_t id) { shard.on_closed(at(now), id, "reset by peer", out); }
  /// The server of 1 wants to go, and 2 has taken over; nothing is closed yet.
  void begin_hand_over() {
    start();
    accept(1);
    speak(1);
    receive(1, R"({"e":"serverShutdown","E":1770123456789})");
    accept(2);
    speak(2);
  }
  /// Until what was replaced is closed.
  void hand_over() { until(now + ConnectionShard::kHandOver); }
  void until(SteadyTime time) {
    pass(shard, now, time, out);
    now = time;
  }
  /// Time passes while `id` speaks each second.
  void speak_until(uint64_t id, SteadyTime time) { speak_until({id}, time); }
  void speak_until(std::initializer_list<uint64_t> ids, SteadyTime time) {
    while (now < time) {
      for (const uint64_t id : ids) speak(id);
      until(std::min<SteadyTime>(time, now + seconds(1)));
    }
  }

  SteadyTime now{0};
  int64_t trade_id = 0;
  Reaction out;
  RateWindow own_budget{240, seconds(300)};
  ConnectionShard shard;
};

TEST(ConnectionShard, ComesBackWithinASecond) {
  ShardScript script;
  script.start();
  EXPECT_EQ(script.opened(), std::vector<uint64_t>{1});
  script.accept(1);
  script.speak_until(1, minutes(2));
  script.lose(1);
  EXPECT_EQ(script.shard.active_id(), 0u);
  script.until(script.now + seconds(1));
  EXPECT_EQ(script.opened(), (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(count_of(script.out, Kind::kDisconnected), 1u);
}

TEST(ConnectionShard, FailuresInARowAreTriedMoreRarelyAndWithJitter) {
  const auto attempts = [](uint64_t random_key, std::vector<SteadyTime>& times) {
    ShardScript script(random_key);
    script.start();
    while (script.now < minutes(10)) {
      if (script.opened().size() > times.size()) {
        times.push_back(script.now);
        script.lose(script.opened().back());
      }
      script.until(script.now + milliseconds(5));
    }
  };
  std::vector<SteadyTime> one;
  std::vector<SteadyTime> other;
  attempts(1, one);
  attempts(2, other);
  EXPECT_GE(one.size(), 14u);
  EXPECT_LE(one.size(), 30u);
  EXPECT_NE(one, other);
  for (size_t i = 2; i < one.size(); ++i) EXPECT_LE(one[i] - one[i - 1], seconds(61));
  EXPECT_GE(one.back() - one[one.size() - 2], seconds(29));
}

TEST(ConnectionShard, AConnectionThatLastedStartsTheCountAnew) {
  ShardScript script;
  script.start();
  for (int i = 0; i < 8; ++i) {
    script.lose(script.opened().back());
    const size_t before = script.opened().size();
    while (script.opened().size() == before) script.until(script.now + milliseconds(50));
  }
  const uint64_t id = script.opened().back();
  script.accept(id);
  script.speak_until(id, script.now + seconds(40));
  const SteadyTime lost_at = script.now;
  script.lose(id);
  while (script.opened().back() == id) script.until(script.now + milliseconds(5));
  EXPECT_LE(script.now - lost_at, milliseconds(260));
}

TEST(ConnectionShard, AServerThatCutsEverySixSecondsIsListenedToNearlyAlways) {
  ShardScript script;
  script.start();
  SteadyTime connected(0);
  while (script.now < minutes(5)) {
    const uint64_t id = script.opened().back();
    script.accept(id);
    script.speak_until(id, script.now + seconds(6));
    connected += seconds(6);
    script.lose(id);
    while (script.opened().back() == id) script.until(script.now + milliseconds(5));
  }
  EXPECT_GE(connected * 100 / 95, script.now);
}

TEST(ConnectionShard, AllShardsKeepToTheBudgetOfTheAddress) {
  RateWindow budget(3, seconds(60));
  ShardScript one(1, &budget);
  ShardScript other(2, &budget);
  one.start();
  other.start();
  SteadyTime now{0};
  std::vector<SteadyTime> times{now, now};
  size_t seen = 2;
  while (now < minutes(5)) {
    for (ShardScript* script : {&one, &other}) {
      if (const uint64_t id = script->shard.active_id(); id != 0) script->lose(id);
      script->until(now);
    }
    for (const size_t opened = one.opened().size() + other.opened().size(); seen < opened; ++seen) {
      times.push_back(now);
    }
    now += milliseconds(20);
  }
  EXPECT_GE(times.size(), 12u);
  for (size_t i = 3; i < times.size(); ++i) {
    EXPECT_GE(times[i] - times[i - 3] + milliseconds(40), seconds(60));
  }
}

TEST(ConnectionShard, TheNewConnectionIsProvenBeforeTheOldOneIsClosed) {
  ShardScript script;
  script.start();
  script.accept(1);
  script.speak(1);
  script.receive(1, R"({"e":"serverShutdown","E":1770123456789})");
  EXPECT_EQ(script.opened(), (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(script.shard.active_id(), 1u);
  script.accept(2);
  script.speak(1);
  EXPECT_TRUE(script.closed().empty());  // an ack proves nothing
  script.speak(2);
  EXPECT_EQ(script.shard.active_id(), 2u);
  // What the new one had not asked for yet may still come of the old one.
  script.until(script.now + ConnectionShard::kHandOver - milliseconds(1));
  EXPECT_TRUE(script.closed().empty());
  script.speak(1);
  EXPECT_EQ(script.shard.active_id(), 2u);
  script.until(script.now + milliseconds(1));
  EXPECT_EQ(script.closed(), std::vector<uint64_t>{1});
  EXPECT_EQ(count_of(script.out, Kind::kReplaced), 1u);
  EXPECT_EQ(script.opened().size(), 2u);
}

TEST(ConnectionShard, TheOldOneTakesOverAgainWhenTheNewOneIsLostAtOnce) {
  ShardScript script;
  script.begin_hand_over();
  script.lose(2);
  EXPECT_EQ(script.shard.active_id(), 1u);
  EXPECT_EQ(script.shard.active_cause(), "lost");
  // And is replaced by another one.
  script.speak_until(1, script.now + seconds(5));
  EXPECT_TRUE(script.closed().empty());
  EXPECT_EQ(script.opened(), (std::vector<uint64_t>{1, 2, 3}));
  script.accept(3);
  script.speak(3);
  script.hand_over();
  EXPECT_EQ(script.closed(), std::vector<uint64_t>{1});
  EXPECT_EQ(script.shard.active_id(), 3u);
}

TEST(ConnectionShard, AServerThatClosesTheOldOneFirstIsNoLoss) {
  ShardScript script;
  script.begin_hand_over();
  script.lose(1);
  EXPECT_EQ(count_of(script.out, Kind::kReplaced), 1u);
  EXPECT_EQ(count_of(script.out, Kind::kDisconnected), 1u);
  script.speak_until(2, script.now + seconds(5));
  EXPECT_EQ(script.opened().size(), 2u);
}

TEST(ConnectionShard, IsHandedOverBeforeTheDayIsOver) {
  ShardScript script;
  script.start();
  script.accept(1);
  script.speak_until(1, hours(22));
  EXPECT_EQ(script.opened().size(), 1u);
  while (script.opened().size() == 1 && script.now < hours(24)) {
    script.speak_until(1, script.now + seconds(1));
  }
  EXPECT_LE(script.now, hours(23) + minutes(1));
  script.accept(2);
  script.speak(2);
  EXPECT_EQ(script.shard.active_id(), 2u);
}

TEST(ConnectionShard, TheStandbyTakesOverAtOnceWhenTheActiveOneIsLost) {
  ShardScript script;
  script.start();
  script.accept(1);
  script.speak(1);
  script.receive(1, R"({"e":"serverShutdown","E":1770123456789})");
  script.accept(2);
  script.lose(1);
  EXPECT_EQ(script.shard.active_id(), 2u);
  EXPECT_EQ(script.opened().size(), 2u);
}

TEST(ConnectionShard, AStalledSocketIsReplaced) {
  ShardScript script;
  script.start();
  script.accept(1);
  script.speak_until(1, seconds(30));
  script.until(seconds(100));  // no frame, no FIN
  ASSERT_EQ(script.opened(), (std::vector<uint64_t>{1, 2}));
  script.accept(2);
  script.receive(2, R"({"result":null,"id":2})");
  script.speak(2);
  script.hand_over();
  EXPECT_EQ(script.closed(), std::vector<uint64_t>{1});
  EXPECT_EQ(script.shard.active_id(), 2u);
}

TEST(ConnectionShard, WhenNothingIsTradedConnectionsAreNotChurned) {
  ShardScript script;
  script.start();
  script.accept(1);
  size_t accepted = 1;
  while (script.now < hours(12)) {
    script.until(script.now + seconds(1));
    if (script.opened().size() > accepted) {
      script.accept(script.opened().back());
      ++accepted;
    }
  }
  EXPECT_GE(accepted, 8u);
  EXPECT_LE(accepted, 40u);
  EXPECT_EQ(script.shard.active_id(), 1u);  // the first one is as good as any other
  // And once there is trade again, the next silence is looked after as the first one was.
  script.speak_until(1, script.now + seconds(30));
  const size_t before = script.opened().size();
  script.until(script.now + seconds(70));
  EXPECT_EQ(script.opened().size(), before + 1);
}

TEST(ConnectionShard, OtherStreamsAreConnectedBeforeTheOldOnesAreLeft) {
  ShardScript script;
  script.start();
  script.accept(1);
  script.speak(1);
  script.shard.reconfigure(at(script.now), ShardScript::options_of({"A", "C"}), false, script.out);
  EXPECT_EQ(script.opened(), (std::vector<uint64_t>{1, 2}));
  EXPECT_TRUE(script.closed().empty());
  script.accept(2);
  EXPECT_NE(script.out.actions.back().text.find("c@trade"), std::string::npos);
  EXPECT_EQ(script.out.actions.back().text.find("b@trade"), std::string::npos);
  script.speak(2);
  EXPECT_EQ(script.shard.active_cause(), "configuration");
  script.hand_over();
  EXPECT_EQ(script.closed(), std::vector<uint64_t>{1});
}

TEST(ConnectionShard, TheNumberOfLegsCanBeChanged) {
  ShardScript script;
  script.start();
  script.accept(1);
  script.speak(1);
  script.shard.reconfigure(at(script.now), ShardScript::options_of({"A"}), true, script.out);
  script.accept(2);
  script.speak(2);
  script.hand_over();
  EXPECT_EQ(script.closed(), std::vector<uint64_t>{1});
  script.accept(3);
  EXPECT_EQ(script.shard.live_count(), 2u);
  script.speak_until({2, 3}, script.now + seconds(5));
  script.shard.reconfigure(at(script.now), ShardScript::options_of({"A"}), false, script.out);
  script.accept(4);
  script.speak(4);
  script.hand_over();
  EXPECT_EQ(script.closed(), (std::vector<uint64_t>{1, 3, 2}));
  EXPECT_EQ(script.shard.active_id(), 4u);
}

TEST(ConnectionShard, ASecondChangeWaitsForTheSuccessorOfTheFirst) {
  ShardScript script;
  script.start();
  script.accept(1);
  script.speak(1);
  script.shard.reconfigure(at(script.now), ShardScript::options_of({"A", "C"}), false, script.out);
  script.accept(2);
  script.shard.reconfigure(at(script.now), ShardScript::options_of({"A", "D"}), false, script.out);
  // C may come of the second one only, and was asked for.
  EXPECT_TRUE(script.closed().empty());
  script.speak(2);
  EXPECT_EQ(script.shard.active_id(), 2u);
  script.hand_over();
  EXPECT_EQ(script.closed(), std::vector<uint64_t>{1});
  EXPECT_EQ(script.opened(), (std::vector<uint64_t>{1, 2, 3}));
  script.accept(3);
  EXPECT_NE(script.out.actions.back().text.find("d@trade"), std::string::npos);
}

TEST(ConnectionShard, ASuccessorThatIsNeverProvenDoesNotKeepANewerOneOut) {
  ShardScript script;
  script.start();
  script.accept(1);
  script.speak(1);
  script.shard.reconfigure(at(script.now), ShardScript::options_of({"C"}), false, script.out);
  script.accept(2);
  script.shard.reconfigure(at(script.now), ShardScript::options_of({"A", "D"}), false, script.out);
  script.speak_until(1, script.now + seconds(40));
  EXPECT_EQ(script.closed(), std::vector<uint64_t>{2});
  ASSERT_EQ(script.opened(), (std::vector<uint64_t>{1, 2, 3}));
  script.accept(3);
  EXPECT_NE(script.out.actions.back().text.find("d@trade"), std::string::npos);
}

/// Two legs, both connected and speaking: 1 is active.
class TwoLegs : public testing::Test {
 protected:
  TwoLegs() : script(11, nullptr, true) {
    script.start();
    script.accept(1);
    script.accept(2);
    script.speak_until({1, 2}, seconds(40));
  }
  ConnectionShard& shard() { return script.shard; }

  ShardScript script;
};

TEST_F(TwoLegs, BothAreConnectedAndOneIsActive) {
  EXPECT_EQ(script.opened(), (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(shard().active_id(), 1u);
  EXPECT_EQ(shard().leg_of(1), 0);
  EXPECT_EQ(shard().leg_of(2), 1);
  EXPECT_EQ(shard().live_count(), 2u);
}

TEST_F(TwoLegs, TheStandbyTakesOverAndTheLostOneComesBack) {
  script.lose(1);
  EXPECT_EQ(shard().active_id(), 2u);
  EXPECT_EQ(shard().active_cause(), "lost");
  script.speak_until(2, script.now + seconds(1));
  EXPECT_EQ(script.opened(), (std::vector<uint64_t>{1, 2, 3}));
  EXPECT_EQ(shard().leg_of(3), 0);
  script.accept(3);
  script.speak(3);
  EXPECT_EQ(shard().active_id(), 2u);  // as good as the other one
}

TEST_F(TwoLegs, ALostStandbyChangesNothing) {
  script.lose(2);
  EXPECT_EQ(shard().active_id(), 1u);
  script.speak_until(1, script.now + seconds(1));
  EXPECT_EQ(script.opened().size(), 3u);
}

TEST_F(TwoLegs, WhoSaysNothingWhileTheOtherSpeaksGivesWay) {
  script.speak_until(2, script.now + ConnectionShard::kSilentLegMax - seconds(1));
  EXPECT_EQ(shard().active_id(), 1u);
  script.speak_until(2, script.now + seconds(2));
  EXPECT_EQ(shard().active_id(), 2u);
  EXPECT_EQ(shard().active_cause(), "silent");
  EXPECT_TRUE(script.closed().empty());
}

TEST(ConnectionShard, WhoIsAnsweredIsActiveAndNotWhoStillAsks) {
  ShardScript script(11, nullptr, true);
  script.start();
  script.shard.on_open(at(script.now), 1, script.out);
  script.speak(1);
  script.shard.on_open(at(script.now), 2, script.out);
  EXPECT_EQ(script.shard.active_id(), 1u);
  script.receive(2, R"({"result":null,"id":1})");
  EXPECT_EQ(script.shard.active_id(), 2u);
  EXPECT_EQ(script.shard.active_cause(), "subscribing");
  script.receive(1, R"({"result":null,"id":1})");
  script.speak_until({1, 2}, seconds(10));
  EXPECT_EQ(script.shard.active_id(), 2u);
  // The one that takes over for the lost one may have no answer itself.
  script.lose(1);
  script.until(script.now + seconds(1));
  ASSERT_EQ(script.opened(), (std::vector<uint64_t>{1, 2, 3}));
  script.shard.on_open(at(script.now), 3, script.out);
  script.lose(2);
  EXPECT_EQ(script.shard.active_id(), 3u);
  script.speak_until(3, script.now + seconds(1));
  script.accept(4);
  EXPECT_EQ(script.shard.active_id(), 4u);
  EXPECT_EQ(script.shard.active_cause(), "subscribing");
}

TEST_F(TwoLegs, AMarketWithoutTradeIsNoSilentLeg) {
  script.until(script.now + seconds(20));
  script.speak(2);
  script.until(script.now + milliseconds(50));
  script.speak(1);
  script.until(script.now + seconds(10));
  EXPECT_EQ(shard().active_id(), 1u);
}

TEST_F(TwoLegs, ALegIsReplacedWhileTheOtherCovers) {
  script.receive(1, R"({"e":"serverShutdown","E":1770123456789})");
  EXPECT_EQ(shard().active_id(), 2u);
  script.hand_over();
  EXPECT_EQ(script.closed(), std::vector<uint64_t>{1});
  EXPECT_EQ(script.opened(), (std::vector<uint64_t>{1, 2, 3}));
  // The other one has to wait until the new one is proven.
  script.receive(2, R"({"e":"serverShutdown","E":1770123456789})");
  script.accept(3);
  EXPECT_EQ(script.closed(), std::vector<uint64_t>{1});
  script.speak(3);
  EXPECT_EQ(shard().active_id(), 3u);
  script.hand_over();
  EXPECT_EQ(script.closed(), (std::vector<uint64_t>{1, 2}));
}

TEST_F(TwoLegs, NeitherIsClosedForTheDayWithoutTheOther) {
  uint64_t active = 1;
  uint64_t standby = 2;
  while (script.closed().size() < 4 && script.now < hours(50)) {
    script.speak_until({active, standby}, script.now + seconds(1));
    const auto opened = script.opened();
    if (opened.size() == 2 + script.closed().size() && opened.back() > std::max(active, standby)) {
      script.accept(opened.back());
      ASSERT_EQ(shard().live_count(), 2u);
      (script.closed().back() == active ? active : standby) = opened.back();
    }
  }
  EXPECT_EQ(script.closed().size(), 4u);
  EXPECT_GE(script.now, hours(44));
  EXPECT_EQ(count_of(script.out, Kind::kDisconnected), 4u);
}

TEST_F(TwoLegs, OtherStreamsReachOneLegAfterTheOther) {
  shard().reconfigure(at(script.now), ShardScript::options_of({"A", "C"}), true, script.out);
  script.hand_over();
  EXPECT_EQ(script.closed(), std::vector<uint64_t>{2});
  script.accept(3);
  script.speak(3);
  EXPECT_EQ(shard().active_id(), 3u);
  script.hand_over();
  EXPECT_EQ(script.closed(), (std::vector<uint64_t>{2, 1}));
  script.accept(4);
  EXPECT_EQ(shard().live_count(), 2u);
}

TEST_F(TwoLegs, ASecondChangeLeavesTheLegOfTheFirstAlone) {
  shard().reconfigure(at(script.now), ShardScript::options_of({"A", "C"}), true, script.out);
  script.hand_over();
  script.accept(3);
  shard().reconfigure(at(script.now), ShardScript::options_of({"A", "D"}), true, script.out);
  script.until(script.now + seconds(5));
  EXPECT_EQ(script.closed(), std::vector<uint64_t>{2});
  // Only the third one brings C: it takes over, and the oldest one goes.
  script.speak(3);
  EXPECT_EQ(shard().active_id(), 3u);
  script.hand_over();
  EXPECT_EQ(script.closed(), (std::vector<uint64_t>{2, 1}));
  script.accept(4);
  script.speak(4);
  EXPECT_EQ(shard().active_id(), 4u);
}

TEST_F(TwoLegs, WhenNothingIsTradedTheyAreNotChurned) {
  size_t accepted = 2;
  while (script.now < hours(12)) {
    script.until(script.now + seconds(1));
    for (; accepted < script.opened().size(); ++accepted) script.accept(script.opened()[accepted]);
  }
  EXPECT_LE(accepted, 40u);
  EXPECT_NE(shard().active_id(), 0u);
}

TEST(ConnectionShard, StopsForGood) {
  ShardScript script;
  script.start();
  script.accept(1);
  script.shard.stop(script.out);
  EXPECT_EQ(script.closed(), std::vector<uint64_t>{1});
  script.until(hours(1));
  EXPECT_EQ(script.opened().size(), 1u);
  EXPECT_EQ(script.shard.deadline(), std::nullopt);
}

}  // namespace
}  // namespace tapeworks::recorder
