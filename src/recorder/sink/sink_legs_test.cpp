#include <string>
#include <utility>
#include <vector>

#include "recorder/sink/sink_fixture_test_support.h"

namespace tapeworks::recorder {
namespace {

/// Trades over two legs: which of them become rows, and which gaps there are.
class TwoLegsTest : public SinkTest {
 protected:
  TwoLegsTest() {
    for (const LogSource& leg : {kSpot, kSecond}) connect(leg);
  }
  void connect(const LogSource& leg) {
    log_.event(LogKind::kSubscription, {.symbols = {"AAA"}}, leg);
    log_.event(LogKind::kConnect, {}, leg);
  }
  void bring(const LogSource& leg, std::initializer_list<int64_t> numbers) {
    for (const int64_t number : numbers) {
      log_.append(LogKind::kFrame, binance_trade("AAA", number, SyntheticLog::kBeginNs), leg);
    }
  }
  static constexpr LogSource kSecond{Venue::kBinanceSpot, 1};
};

TEST_F(TwoLegsTest, TheFirstCopyIsTaken) {
  bring(kSpot, {1, 2, 3});
  bring(kSecond, {1, 2, 3, 4});
  bring(kSpot, {4, 5});
  bring(kSecond, {5});
  log_.stop();
  const auto sink = run();
  EXPECT_EQ(sink->counts().rows, 5U);
  EXPECT_EQ(sink->counts().repeats, 5U);
  const auto& legs = sink->counts().legs[static_cast<size_t>(Venue::kBinanceSpot)];
  EXPECT_EQ(legs[0].first_copies, 4U);
  EXPECT_EQ(legs[1].second_copies, 4U);
  EXPECT_EQ(legs[1].first_copies, 1U);
  EXPECT_EQ(sink->counts().resets, 0U);
}

TEST_F(TwoLegsTest, ALegThatBeganEarlierIsNoResetAndBringsNothingTwice) {
  bring(kSecond, {15, 16});
  bring(kSpot, {13, 14});
  bring(kSecond, {17});
  bring(kSpot, {15, 16, 17, 18});
  log_.stop();
  const auto sink = run();
  EXPECT_EQ(sink->counts().rows, 6U);
  EXPECT_EQ(sink->counts().resets, 0U);
  EXPECT_EQ(sink->counts().gaps, 0U);
}

TEST_F(TwoLegsTest, WhatALegThatBeganEarlierDoesNotBringIsAHole) {
  bring(kSecond, {15});
  bring(kSpot, {12});
  run();  // the sink is made anew from its checkpoint
  bring(kSpot, {13, 15});
  log_.stop();
  const auto sink = run();
  EXPECT_EQ(sink->counts().resets, 0U);
  const auto gaps = table(options_.output_dir / "binance_spot/_gaps/2023-11-14.parquet");
  ASSERT_EQ(gaps->num_rows(), 1);
  EXPECT_EQ(text(*gaps, "from_sequence", 0), "14");
  EXPECT_EQ(text(*gaps, "to_sequence", 0), "14");
}

TEST_F(TwoLegsTest, ALowerNumberOnASocketThatWasMadeLaterIsAReset) {
  bring(kSecond, {1000, 1001});
  log_.event(LogKind::kDisconnect, {.cause = "disconnect"}, kSpot);
  connect(kSpot);
  bring(kSpot, {5, 6});
  bring(kSecond, {5, 6, 7});
  log_.stop();
  const auto sink = run();
  EXPECT_EQ(sink->counts().resets, 1U);
  EXPECT_EQ(sink->counts().rows, 5U);
}

TEST_F(TwoLegsTest, WhatALegMissedWhileItWasCutIsNoHole) {
  bring(kSpot, {1, 2});
  bring(kSecond, {1});
  log_.event(LogKind::kDisconnect, {.cause = "disconnect"}, kSpot);
  connect(kSpot);
  bring(kSpot, {6, 7});
  bring(kSecond, {2, 3, 4, 5, 6, 7, 8});
  log_.stop();
  const auto sink = run();
  EXPECT_EQ(sink->counts().rows, 8U);
  EXPECT_EQ(sink->counts().gaps, 0U);
  EXPECT_EQ(sink->counts().holes, 0U);
}

/// Of a socket that asks for its streams and is answered later.
class LateAnswersTest : public TwoLegsTest {
 protected:
  void ask(const LogSource& leg) {
    log_.advance(kSecondNs);
    log_.event(LogKind::kConnect, {.count = 3}, leg);
  }
  void answer(const LogSource& leg) {
    log_.advance(kSecondNs);
    log_.event(LogKind::kNotice, {.cause = std::string(kAnsweredCause)}, leg);
  }
  void lose(const LogSource& leg, std::string cause = "disconnect") {
    log_.advance(kSecondNs);
    log_.event(LogKind::kDisconnect, {.cause = std::move(cause)}, leg);
  }
  /// Cause, and begin and end in seconds after the log's begin.
  std::vector<std::string> gaps() {
    next_hour();
    run();
    const auto path = options_.output_dir / "binance_spot/_gaps/2023-11-14.parquet";
    std::vector<std::string> found;
    if (!std::filesystem::exists(path)) return found;
    const auto rows = table(path);
    const auto second = [&](const char* column, int64_t row) {
      const auto& times =
          static_cast<const arrow::TimestampArray&>(*rows->GetColumnByName(column)->chunk(0));
      return (times.Value(row) - SyntheticLog::kBeginNs) / kSecondNs;
    };
    for (int64_t row = 0; row < rows->num_rows(); ++row) {
      found.push_back(fmt::format("{} {}-{}", text(*rows, "cause", row), second("from_time", row),
                                  second("to_time", row)));
    }
    return found;
  }
};

using Gaps = std::vector<std::string>;

TEST_F(LateAnswersTest, TheTimeBeforeTheAnswersIsAGap) {
  lose(kSecond, "removed");
  lose(kSpot);  // at 2
  ask(kSpot);
  answer(kSpot);
  EXPECT_EQ(gaps(), (Gaps{"disconnect 0-3", "subscribing 3-4"}));
}

TEST_F(LateAnswersTest, ItGoesOnWithTheNextSocket) {
  lose(kSecond, "removed");
  lose(kSpot);
  ask(kSpot);
  log_.advance(kSecondNs);
  bring(kSpot, {1});
  run();  // the sink is made anew from its checkpoint
  lose(kSpot, "reset");
  ask(kSpot);
  run();
  answer(kSpot);
  EXPECT_EQ(gaps(), (Gaps{"disconnect 0-3", "subscribing 3-4", "reset 4-6", "subscribing 6-7"}));
}

TEST_F(LateAnswersTest, TheFirstLegThatIsAnsweredEndsIt) {
  lose(kSecond);
  lose(kSpot);
  ask(kSpot);  // at 3
  ask(kSecond);
  answer(kSecond);
  lose(kSpot);
  EXPECT_EQ(gaps(), (Gaps{"disconnect 0-3", "subscribing 3-5"}));
}

TEST_F(LateAnswersTest, AStopEndsIt) {
  lose(kSecond);
  lose(kSpot);
  ask(kSpot);  // at 3
  log_.advance(kSecondNs);
  log_.stop();
  EXPECT_EQ(gaps(), (Gaps{"disconnect 0-3", "subscribing 3-4"}));
}

TEST_F(LateAnswersTest, ALegThatIsNotAnsweredDoesNotCoverTheOther) {
  lose(kSecond);
  ask(kSecond);
  bring(kSpot, {1});  // at 2
  lose(kSpot);
  run();
  answer(kSecond);  // at 4
  EXPECT_EQ(gaps(), (Gaps{"disconnect 2-3", "subscribing 3-4"}));
}

TEST_F(LateAnswersTest, ALegCoversWhatWasSentAfterItsAnswersOnly) {
  lose(kSecond);
  bring(kSpot, {1});  // at 1
  ask(kSecond);
  answer(kSecond);  // at 3
  lose(kSpot);
  EXPECT_EQ(gaps(), Gaps{"disconnect 1-3"});
}

TEST_F(LateAnswersTest, ALegThatWasAnsweredCoversTheOther) {
  lose(kSecond);
  ask(kSecond);
  answer(kSecond);
  bring(kSpot, {1});
  lose(kSpot);
  lose(kSecond, "removed");
  EXPECT_EQ(gaps(), Gaps{});
}

TEST_F(LateAnswersTest, ALegThatWeCloseWasHeardToItsEnd) {
  lose(kSecond);
  bring(kSpot, {1});
  ask(kSecond);
  answer(kSecond);
  lose(kSpot, "replaced");
  ask(kSpot);
  lose(kSecond, "stopped");
  log_.event(LogKind::kDisconnect, {.cause = "stopped"}, kSpot);
  log_.stop();
  EXPECT_EQ(gaps(), Gaps{});
}

TEST_F(LateAnswersTest, ALegThatIsLostBeforeItsAnswersWasNotCovering) {
  lose(kSpot);
  ask(kSpot);
  bring(kSecond, {1});
  answer(kSpot);
  lose(kSecond);
  EXPECT_EQ(gaps(), Gaps{"disconnect 2-3"});
  ask(kSecond);
  bring(kSpot, {2});
  lose(kSecond);
  EXPECT_EQ(gaps().size(), 1U);
}

TEST_F(LateAnswersTest, ALegThatNeverCoveredDoesNotHideWhatTheOtherOneMissed) {
  lose(kSecond);
  bring(kSpot, {1});  // at 1, the last that comes of it
  ask(kSecond);
  log_.advance(kSecondNs);
  bring(kSecond, {2});
  lose(kSecond);
  lose(kSpot);
  ask(kSpot);  // at 6
  answer(kSpot);
  EXPECT_EQ(gaps(), (Gaps{"disconnect 1-6", "subscribing 6-7"}));
}

TEST_F(LateAnswersTest, WhatTheOtherLegCoveredIsNotMissing) {
  ask(kSecond);  // at 1
  log_.advance(4 * kSecondNs);
  bring(kSpot, {1});  // at 5
  lose(kSpot);
  lose(kSecond);
  ask(kSpot);  // at 8
  answer(kSpot);
  EXPECT_EQ(gaps(), (Gaps{"disconnect 5-6", "disconnect 5-8", "subscribing 8-9"}));
}

TEST_F(LateAnswersTest, AKilledRecorderCoveredAsFarAsAnAnsweredLegDid) {
  lose(kSecond);
  bring(kSpot, {1});  // at 1
  ask(kSecond);
  log_.advance(kSecondNs);
  bring(kSecond, {2});
  log_.restart();
  log_.event(LogKind::kConnect, {}, kSpot);  // at 3
  EXPECT_EQ(gaps(), Gaps{"process_ended 1-3"});
}

TEST_F(LateAnswersTest, NobodyKnowsTheEndOfASocketThatStalled) {
  lose(kSecond);
  bring(kSpot, {1});  // at 1
  ask(kSecond);
  answer(kSecond);                                                   // at 3
  log_.append(LogKind::kFrame, R"({"result":null,"id":2})", kSpot);  // it still answers
  log_.event(LogKind::kDisconnect,
             {.cause = std::string(kReplacedCause), .detail = std::string(kStalledDetail)}, kSpot);
  EXPECT_EQ(gaps(), Gaps{"replaced 1-3"});
}

TEST_F(LateAnswersTest, ALegThatIsSilentWhileTheOtherSpeaksDoesNotCoverIt) {
  bring(kSpot, {1});
  bring(kSecond, {1});
  log_.advance(2 * kSecondNs);
  bring(kSpot, {2});  // at 2
  lose(kSpot);
  log_.append(LogKind::kFrame, R"({"result":null,"id":2})", kSecond);  // it still answers
  run();  // the sink is made anew from its checkpoint
  log_.advance(kSecondNs);
  bring(kSecond, {3});  // at 4
  lose(kSecond);
  EXPECT_EQ(gaps(), Gaps{"disconnect 2-4"});
}

TEST_F(LateAnswersTest, ASilentLegCoversNothingUntilTheNextSocketIsAnswered) {
  log_.advance(2 * kSecondNs);
  bring(kSpot, {1});  // at 2
  lose(kSpot, "replaced");
  ask(kSpot);
  run();
  answer(kSpot);  // at 5
  EXPECT_EQ(gaps(), (Gaps{"replaced 3-4", "subscribing 4-5"}));
}

TEST_F(LateAnswersTest, ASilentLegThatGoesLeavesTheGapOpen) {
  log_.advance(2 * kSecondNs);
  bring(kSpot, {1});  // at 2
  lose(kSpot);
  lose(kSecond, "reset");
  ask(kSecond);
  answer(kSecond);  // at 6
  EXPECT_EQ(gaps(), (Gaps{"disconnect 2-5", "subscribing 5-6"}));
}

TEST_F(LateAnswersTest, WhereOneIsSilentAndOneStillAsksNobodyCovers) {
  lose(kSpot);  // at 1
  bring(kSecond, {1});
  ask(kSpot);  // at 2
  log_.advance(2 * kSecondNs);
  bring(kSpot, {2});
  lose(kSpot);
  ask(kSpot);  // at 6
  answer(kSpot);
  EXPECT_EQ(gaps(), (Gaps{"disconnect 1-6", "subscribing 6-7"}));
}

TEST_F(LateAnswersTest, AStreamThatOneLegHasBegunIsMissingUntilTheOtherOneIsAnswered) {
  for (const LogSource& leg : {kSpot, kSecond}) lose(leg, "removed");
  ask(kSpot);  // at 3, and there was nothing before
  ask(kSecond);
  bring(kSpot, {1});
  lose(kSpot);
  answer(kSecond);  // at 6
  EXPECT_EQ(gaps(), Gaps{"subscribing 4-6"});
}

TEST_F(LateAnswersTest, ALegIsSilentOnlyWhereTheOtherOneSpeaks) {
  bring(kSecond, {1});
  bring(kSpot, {1});
  log_.advance(5 * kSecondNs);
  lose(kSpot);  // nothing was traded
  ask(kSpot);
  answer(kSpot);
  bring(kSecond, {2});
  log_.advance(kSecondNs / 2);
  bring(kSpot, {2, 3});  // this one is ahead, and not by much
  lose(kSpot);
  EXPECT_EQ(gaps(), Gaps{});
}

TEST_F(LateAnswersTest, AClockThatIsSetChangesNoDecision) {
  lose(kSecond);
  ask(kSecond);
  log_.advance(-10 * kSecondNs);
  answer(kSecond);
  bring(kSpot, {1});
  log_.advance(-10 * kSecondNs);
  lose(kSpot);  // the other one covered
  ask(kSpot);
  lose(kSecond);  // and now nobody does
  log_.advance(-10 * kSecondNs);
  answer(kSpot);
  const auto found = gaps();
  EXPECT_EQ(found.size(), 2U);
  EXPECT_TRUE(found.back().starts_with("subscribing ")) << found.back();
}

TEST_F(TwoLegsTest, WhatNeitherLegBringsIsAHole) {
  bring(kSpot, {1, 2});
  bring(kSecond, {1, 2});
  bring(kSpot, {5, 6});
  run();
  // In the middle of it the sink is made anew from its checkpoint.
  bring(kSecond, {4, 5, 6});
  log_.stop();
  const auto sink = run();
  EXPECT_EQ(sink->counts().holes, 1U);
  const auto gaps = table(options_.output_dir / "binance_spot/_gaps/2023-11-14.parquet");
  ASSERT_EQ(gaps->num_rows(), 1);
  EXPECT_EQ(text(*gaps, "from_sequence", 0), "3");
  EXPECT_EQ(text(*gaps, "to_sequence", 0), "3");
}

TEST_F(TwoLegsTest, AHoleThatNobodyFilledIsNamedAtTheStop) {
  bring(kSpot, {1});
  bring(kSecond, {1});
  bring(kSpot, {5});
  log_.stop();
  EXPECT_EQ(run()->counts().holes, 1U);
}

}  // namespace
}  // namespace tapeworks::recorder
