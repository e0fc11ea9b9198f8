#include "recorder/protocol/trade_backfill.h"

#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace tapeworks::recorder {
namespace {

using namespace std::chrono_literals;

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kEpoch = 1'700'000'000;  // seconds

std::string binance_page(int64_t first, int64_t last) {
  std::string body = "[";
  for (int64_t id = first; id <= last; ++id) {
    if (body.size() > 1) body += ',';
    body += fmt::format(
        R"({{"id":{},"price":"1","qty":"1","time":1700000000123,"isBuyerMaker":true}})", id);
  }
  return body + "]";
}

std::string gate_futures_page(int64_t first, int64_t last) {
  std::string body = "[";
  for (int64_t id = last; id >= first; --id) {
    if (body.size() > 1) body += ',';
    body += fmt::format(
        R"({{"id":{},"create_time":1700000000,"contract":"X_USDT","size":1,"price":"1"}})", id);
  }
  return body + "]";
}

std::string kucoin_page(const std::vector<int64_t>& numbers) {
  std::string body;
  for (const int64_t number : numbers) {
    body += fmt::format(
        R"({}{{"sequence":"{}","price":"1","size":"1","side":"buy","time":1700000000000000000}})",
        body.empty() ? "" : ",", number);
  }
  return R"({"code":"200000","data":[)" + body + "]}";
}

/// One venue, a clock, and the gaps that are open.
class Conversation {
 public:
  explicit Conversation(Venue venue) : Conversation(venue, nullptr) {}
  /// With a budget that others spend, too.
  Conversation(Venue venue, HistoryBudget* budget)
      : venue_(venue),
        own_budget_(history_budget_of(venue)),
        backfill_(venue, budget ? *budget : own_budget_) {}

  void open(int64_t from, int64_t to, const std::string& symbol = "BTCUSDT", int64_t seconds = 20) {
    gaps_.push_back({venue_, symbol, from, to, kEpoch * kSecondNs, (kEpoch + seconds) * kSecondNs});
    backfill_.set_open_gaps(gaps_, now_);
  }
  /// As the sink knows it after a restart.
  void open_again(int64_t from, int64_t to, int64_t next) {
    gaps_.push_back(
        {venue_, "BTCUSDT", from, to, kEpoch * kSecondNs, (kEpoch + 20) * kSecondNs, next});
    backfill_.set_open_gaps(gaps_, now_);
  }
  void close_all() {
    gaps_.clear();
    backfill_.set_open_gaps(gaps_, now_);
  }
  void pass(std::chrono::milliseconds time) {
    now_ += time;
    backfill_.set_open_gaps(gaps_, now_);
  }
  /// Path and query of the next request, "" for none.
  std::string ask() {
    const auto request = backfill_.next_request(now_);
    return request ? request->target : "";
  }
  TradeBackfill::Outcome answer(const std::string& body, int status = 200,
                                std::optional<std::chrono::milliseconds> retry_after = {}) {
    return backfill_.on_reply({status, body, retry_after}, now_);
  }
  TradeBackfill& backfill() { return backfill_; }
  SteadyTime now() const { return now_; }

 private:
  Venue venue_;
  HistoryBudget own_budget_;
  TradeBackfill backfill_;
  std::vector<TradeGap> gaps_;
  SteadyTime now_{1h};
};

TEST(TradeBackfill, FillsAGapByNumbersPageAfterPage) {
  Conversation talk(Venue::kBinanceSpot);
  talk.open(101, 1500);
  EXPECT_EQ(talk.ask(), "") << "late messages may fill it yet";
  talk.pass(2s);
  EXPECT_EQ(talk.ask(), "/api/v3/historicalTrades?symbol=BTCUSDT&fromId=101&limit=1000");
  EXPECT_EQ(talk.ask(), "") << "one request at a time";
  const auto first = talk.answer(binance_page(101, 1100));
  EXPECT_TRUE(first.has_rows);
  EXPECT_FALSE(first.end);
  EXPECT_EQ(talk.ask(), "/api/v3/historicalTrades?symbol=BTCUSDT&fromId=1101&limit=400");
  const auto second = talk.answer(binance_page(1101, 1500));
  EXPECT_TRUE(second.has_rows);
  EXPECT_EQ(second.end, BackfillEnd::kFilled);
  talk.pass(10s);
  EXPECT_EQ(talk.ask(), "") << "it is over, though the sink does not know yet";
}

TEST(TradeBackfill, AGapThatIsClosedElsewhereIsForgotten) {
  Conversation talk(Venue::kBinanceSpot);
  talk.open(101, 105);
  talk.close_all();
  talk.pass(1min);
  EXPECT_EQ(talk.ask(), "");
  EXPECT_EQ(talk.backfill().waiting_count(), 0U);
}

TEST(TradeBackfill, AfterARestartOnlyTheRestIsFetched) {
  Conversation talk(Venue::kBinanceSpot);
  talk.open_again(101, 2'000, 1'101);
  talk.pass(TradeBackfill::kSettleTime);
  EXPECT_EQ(talk.ask(), "/api/v3/historicalTrades?symbol=BTCUSDT&fromId=1101&limit=900");
  EXPECT_EQ(talk.answer(binance_page(1'101, 2'000)).end, BackfillEnd::kFilled);
  // Only the word that it is over is lacking.
  talk.open_again(3'001, 3'005, 3'006);
  talk.pass(TradeBackfill::kSettleTime);
  EXPECT_EQ(talk.ask(), "/api/v3/historicalTrades?symbol=BTCUSDT&fromId=3005&limit=1");
  EXPECT_EQ(talk.answer(binance_page(3'005, 3'005)).end, BackfillEnd::kFilled);
}

TEST(TradeBackfill, AnAnswerThatLacksNumbersIsBelievedTheThirdTime) {
  Conversation talk(Venue::kBinanceSpot);
  talk.open(101, 105);
  talk.pass(2s);
  for (int i = 1; i < TradeBackfill::kIncompleteMax; ++i) {
    talk.ask();
    const auto early = talk.answer(binance_page(104, 105));
    EXPECT_FALSE(early.has_rows) << "what is taken now cannot be completed later";
    EXPECT_FALSE(early.end);
    talk.pass(10s);
  }
  talk.ask();
  const auto outcome = talk.answer(binance_page(104, 105));
  EXPECT_TRUE(outcome.has_rows);
  EXPECT_EQ(outcome.end, BackfillEnd::kFilled);
}

TEST(TradeBackfill, NumbersThatAnExchangeSkipsAreNoReasonToGoOn) {
  Conversation talk(Venue::kGateSpot);
  talk.open(101, 105);
  talk.pass(2s);
  talk.ask();
  const auto outcome = talk.answer(
      R"([{"id":"106","create_time_ms":"1700000000123","side":"buy","amount":"1","price":"2"}])");
  EXPECT_FALSE(outcome.has_rows);
  EXPECT_EQ(outcome.end, BackfillEnd::kFilled);
}

TEST(TradeBackfill, AnEmptyAnswerIsAskedForAgainEverMoreRarelyAndGivenUp) {
  Conversation talk(Venue::kBinanceSpot);
  talk.open(101, 105);
  talk.pass(2s);
  std::chrono::seconds pause = 1s;
  for (int attempt = 1; attempt < TradeBackfill::kAttemptsMax; ++attempt) {
    ASSERT_NE(talk.ask(), "") << attempt;
    EXPECT_FALSE(talk.answer("[]").end);
    talk.pass(pause - 1ms);
    EXPECT_EQ(talk.ask(), "");
    talk.pass(1ms);
    pause *= 2;
  }
  ASSERT_NE(talk.ask(), "");
  const auto outcome = talk.answer("[]");
  EXPECT_EQ(outcome.end, BackfillEnd::kGivenUp);
  EXPECT_EQ(outcome.why, "the exchange has no trades from number 101 on");
}

TEST(TradeBackfill, WhatCameBeforeItEndsIsKept) {
  Conversation talk(Venue::kBinanceSpot);
  talk.open(101, 105);
  talk.pass(2s);
  talk.ask();
  EXPECT_TRUE(talk.answer(binance_page(101, 103)).has_rows);
  std::optional<BackfillEnd> end;
  for (int attempt = 0; attempt < TradeBackfill::kAttemptsMax; ++attempt) {
    EXPECT_EQ(talk.ask(), "/api/v3/historicalTrades?symbol=BTCUSDT&fromId=104&limit=2");
    end = talk.answer("[]").end;
    talk.pass(1min);
  }
  EXPECT_EQ(end, BackfillEnd::kPartlyFilled);
}

TEST(TradeBackfill, AnOutageOfHoursGivesNoGapUp) {
  const auto fail = [](Conversation& talk, int status) {
    return status == 0 ? talk.backfill().on_failure("no route", talk.now())
                       : talk.answer("<html>", status);
  };
  for (const int status : {0, 403, 408, 500, 503}) {
    Conversation talk(Venue::kBinanceSpot);
    talk.open(101, 105);
    talk.open(201, 205, "ETHUSDT");
    talk.pass(2s);
    int requests = 0;
    for (const SteadyTime end = talk.now() + 3h; talk.now() < end; talk.pass(1s)) {
      if (talk.ask().empty()) continue;
      const auto outcome = fail(talk, status);
      EXPECT_FALSE(outcome.end) << status;
      EXPECT_EQ(outcome.is_outage, requests++ == 0) << "said once";
    }
    // Once a minute, and a few more in the first one.
    EXPECT_GE(requests, 180) << status;
    EXPECT_LE(requests, 190) << status;
    talk.pass(1min);
    for (int i = 0; i < 2; ++i) {
      const bool is_first = talk.ask().contains("BTCUSDT");
      const auto filled = talk.answer(is_first ? binance_page(101, 105) : binance_page(201, 205));
      EXPECT_EQ(filled.end, BackfillEnd::kFilled) << status;
    }
    talk.open(301, 305);
    talk.pass(2s);
    ASSERT_NE(talk.ask(), "");
    EXPECT_TRUE(fail(talk, status).is_outage) << "another one";
    talk.pass(1s);
    EXPECT_NE(talk.ask(), "") << "after a second again";
  }
}

TEST(TradeBackfill, AfterTooManyRequestsNobodyIsAskedUntilTheServerAllowsIt) {
  const std::pair<int, std::chrono::seconds> refusals[] = {{429, 90s}, {418, 400s}};
  for (const auto& [status, pause] : refusals) {
    Conversation talk(Venue::kBinanceSpot);
    talk.open(101, 105);
    talk.open(201, 205, "ETHUSDT");
    talk.pass(2s);
    talk.ask();
    const auto outcome = talk.answer("{}", status, pause);
    EXPECT_TRUE(outcome.was_refused);
    EXPECT_FALSE(outcome.end);
    talk.pass(pause - 1ms);
    EXPECT_EQ(talk.ask(), "") << status;
    talk.pass(1ms);
    EXPECT_NE(talk.ask(), "");
  }
}

TEST(TradeBackfill, ARefusalThatNamesNoWaitIsFollowedByLongerAndLongerOnes) {
  Conversation talk(Venue::kBinanceSpot);
  talk.open(101, 105);
  talk.pass(2s);
  const auto refuse_and_wait = [&](int status, std::chrono::seconds pause) {
    ASSERT_NE(talk.ask(), "");
    EXPECT_TRUE(talk.answer("{}", status, 0s).was_refused);
    talk.pass(pause - 1ms);
    EXPECT_EQ(talk.ask(), "") << status << ' ' << pause.count();
    talk.pass(1ms);
  };
  for (const auto pause : {2s, 4s, 8s, 16s, 32s, 64s, 128s, 256s, 300s, 300s})
    refuse_and_wait(429, pause);
  // An answer of another kind ends the row.
  talk.ask();
  talk.answer("[]");
  talk.pass(1s);
  refuse_and_wait(429, 2s);
  refuse_and_wait(418, 300s);
}

TEST(TradeBackfill, ARefusalIsNoAttempt) {
  Conversation talk(Venue::kKucoinSpot);
  talk.open(101, 105);
  for (int i = 0; i < 3 * TradeBackfill::kAttemptsMax; ++i) {
    ASSERT_NE(talk.ask(), "");
    // KuCoin has such answers with status 200, too.
    EXPECT_TRUE(talk.answer(R"({"code":"429000","msg":"Too Many Requests"})").was_refused);
    talk.pass(TradeBackfill::kBanPauseMin);
  }
}

TEST(TradeBackfill, StaysWithinTheBudget) {
  Conversation talk(Venue::kBinanceSpot);
  for (int i = 0; i < 100; ++i) talk.open(1, 5, fmt::format("S{}", i));
  talk.pass(2s);
  size_t count = 0;
  while (!talk.ask().empty()) {
    ++count;
    talk.answer(binance_page(1, 5));
  }
  EXPECT_EQ(count, 60U) << "25 of 6,000 each, of which a quarter is ours";
  talk.pass(1min - 1ms);
  EXPECT_EQ(talk.ask(), "");
  talk.pass(1ms);
  EXPECT_NE(talk.ask(), "");
}

TEST(TradeBackfill, VenuesOfAnExchangeShareItsBudget) {
  for (const Venue venue : kVenues) {
    for (const Venue other : kVenues) {
      if (name_of(venue).exchange != name_of(other).exchange) continue;
      EXPECT_EQ(trade_history_rules_of(venue).weight_max, trade_history_rules_of(other).weight_max);
      EXPECT_EQ(trade_history_rules_of(venue).window, trade_history_rules_of(other).window);
    }
  }
  HistoryBudget budget = history_budget_of(Venue::kBinanceSpot);
  Conversation json(Venue::kBinanceSpot, &budget);
  Conversation sbe(Venue::kBinanceSpotSbe, &budget);
  for (Conversation* const talk : {&json, &sbe}) {
    for (int i = 0; i < 100; ++i) talk->open(1, 5, fmt::format("S{}", i));
    talk->pass(2s);
  }
  size_t count = 0;
  for (Conversation* talk = &json; !talk->ask().empty(); talk = talk == &json ? &sbe : &json) {
    ++count;
    talk->answer(binance_page(1, 5));
  }
  EXPECT_EQ(count, 60U) << "as many as one of them alone";
}

TEST(TradeBackfill, ABanHoldsForAllVenuesOfAnExchange) {
  HistoryBudget budget = history_budget_of(Venue::kBinanceSpot);
  Conversation spot(Venue::kBinanceSpot, &budget);
  Conversation futures(Venue::kBinanceUsdm, &budget);
  for (Conversation* const talk : {&spot, &futures}) {
    talk->open(101, 105);
    talk->pass(2s);
  }
  ASSERT_NE(spot.ask(), "");
  EXPECT_TRUE(spot.answer("{}", 418, 400s).was_refused);
  EXPECT_EQ(futures.ask(), "");
  futures.pass(400s - 1ms);
  EXPECT_EQ(futures.ask(), "");
  futures.pass(1ms);
  ASSERT_NE(futures.ask(), "");
  EXPECT_TRUE(futures.answer("{}", 429, 10s).was_refused);
  spot.pass(405s);
  EXPECT_EQ(spot.ask(), "");
}

TEST(TradeBackfill, WhereOnlyTheLastTradesAreToBeHadTheyMustReachBack) {
  Conversation talk(Venue::kKucoinSpot);
  talk.open(101, 200, "BTC-USDT");
  EXPECT_EQ(talk.ask(), "/api/v1/market/histories?symbol=BTC-USDT") << "there is no time to lose";
  const auto all = talk.answer(kucoin_page({230, 201, 180, 150, 100}));
  EXPECT_TRUE(all.has_rows);
  EXPECT_EQ(all.end, BackfillEnd::kFilled);

  talk.open(301, 400, "BTC-USDT");
  talk.ask();
  const auto part = talk.answer(kucoin_page({430, 401, 380}));
  EXPECT_TRUE(part.has_rows);
  EXPECT_EQ(part.end, BackfillEnd::kPartlyFilled);
  EXPECT_NE(part.why.find("do not reach back to number 301"), std::string::npos) << part.why;

  talk.open(501, 600, "BTC-USDT");
  talk.ask();
  const auto none = talk.answer(kucoin_page({650, 640}));
  EXPECT_FALSE(none.has_rows);
  EXPECT_EQ(none.end, BackfillEnd::kGivenUp);
}

TEST(TradeBackfill, AnAnswerThatIsBehindTheStreamIsAskedForAgain) {
  Conversation talk(Venue::kBinanceUsdm);
  talk.open(101, 105);
  EXPECT_EQ(talk.ask(), "/fapi/v1/trades?symbol=BTCUSDT&limit=1000");
  const auto late = talk.answer(binance_page(90, 103));
  EXPECT_FALSE(late.has_rows) << "the next one brings it all";
  EXPECT_FALSE(late.end);
  talk.pass(1s);
  ASSERT_NE(talk.ask(), "");
  EXPECT_EQ(talk.answer(binance_page(90, 110)).end, BackfillEnd::kFilled);
}

TEST(TradeBackfill, ATimeWithMoreThanAPageIsAskedForInPieces) {
  Conversation talk(Venue::kGateFutures);
  talk.open(101, 1900, "X_USDT");
  talk.pass(2s);
  const auto target = [](int64_t from, int64_t to) {
    return fmt::format("/api/v4/futures/usdt/trades?contract=X_USDT&from={}&to={}&limit=1000", from,
                       to);
  };
  // Twenty seconds, and ten more on both sides.
  EXPECT_EQ(talk.ask(), target(kEpoch - 10, kEpoch + 31));
  EXPECT_FALSE(talk.answer(gate_futures_page(1001, 2000)).has_rows) << "it lacks the older ones";
  EXPECT_EQ(talk.ask(), target(kEpoch - 10, kEpoch + 10));
  EXPECT_TRUE(talk.answer(gate_futures_page(90, 1000)).has_rows);
  EXPECT_EQ(talk.ask(), target(kEpoch + 10, kEpoch + 30));
  const auto last = talk.answer(gate_futures_page(1000, 1950));
  EXPECT_TRUE(last.has_rows);
  EXPECT_EQ(last.end, BackfillEnd::kFilled);
}

TEST(TradeBackfill, ABusyTimeDoesNotMakeTheRestOfAGapSlow) {
  Conversation talk(Venue::kGateFutures);
  talk.open(101, 9000, "X_USDT", 3600);
  talk.pass(2s);
  const auto expect_asked = [&](int64_t from, int64_t to) {
    EXPECT_EQ(talk.ask(),
              fmt::format("/api/v4/futures/usdt/trades?contract=X_USDT&from={}&to={}&limit=1000",
                          kEpoch + from, kEpoch + to));
  };
  for (const int64_t span : {3600, 1800, 900}) {
    expect_asked(-10, -10 + span);
    talk.answer(gate_futures_page(4001, 5000));
  }
  expect_asked(-10, 440);
  talk.answer(gate_futures_page(101, 700));
  expect_asked(440, 890);  // that one was more than half full
  talk.answer(gate_futures_page(701, 710));
  expect_asked(890, 1790);
  talk.answer(gate_futures_page(711, 720));
  expect_asked(1790, 3590);
  talk.answer(gate_futures_page(721, 730));
  expect_asked(3590, 3611);  // and not beyond the gap
  EXPECT_EQ(talk.answer(gate_futures_page(8990, 9001)).end, BackfillEnd::kFilled);
}

TEST(TradeBackfill, ASecondWithMoreThanAPageIsFilledInPart) {
  Conversation talk(Venue::kGateFutures);
  talk.open(101, 5000, "X_USDT");
  talk.pass(2s);
  TradeBackfill::Outcome outcome;
  int requests = 0;
  while (!outcome.end && ++requests < 100) {
    ASSERT_NE(talk.ask(), "");
    outcome = talk.answer(gate_futures_page(4500, 5499));
  }
  EXPECT_TRUE(outcome.has_rows);
  EXPECT_EQ(outcome.end, BackfillEnd::kPartlyFilled);
}

TEST(TradeBackfill, TheHighestNumberThatThereIsEndsTheSearch) {
  constexpr int64_t kHighest = std::numeric_limits<int64_t>::max();
  for (const Venue venue : {Venue::kGateFutures, Venue::kBinanceSpot}) {
    Conversation talk(venue);
    talk.open(101, 105, "X_USDT");
    talk.pass(2s);
    ASSERT_NE(talk.ask(), "");
    const std::string trade = fmt::format(
        R"([{{"id":{},"create_time":1700000000,"size":1,"price":"1","qty":"1","time":1700000000123,)"
        R"("isBuyerMaker":true}}])",
        kHighest);
    TradeBackfill::Outcome outcome = talk.answer(trade);
    for (int i = 1; i < TradeBackfill::kIncompleteMax && !outcome.end; ++i) {
      talk.pass(10s);
      ASSERT_NE(talk.ask(), "");
      outcome = talk.answer(trade);
    }
    EXPECT_FALSE(outcome.has_rows);
    EXPECT_EQ(outcome.end, BackfillEnd::kFilled);
  }
}

TEST(TradeBackfill, AGapOfMoreNumbersThanHaveASignIsCountedAll) {
  Conversation talk(Venue::kBinanceSpot);
  constexpr int64_t kFar = 9'000'000'000'000'000'000;
  talk.open(-kFar, kFar);
  talk.pass(2s);
  ASSERT_NE(talk.ask(), "");
  EXPECT_FALSE(talk.answer(binance_page(kFar / 2, kFar / 2)).has_rows) << "nearly all are lacking";
}

TEST(TradeBackfill, ATimeThatEndsBeforeItBeginsIsStillATime) {
  Conversation talk(Venue::kGateFutures);
  talk.open(101, 105, "X_USDT", -60);  // its ends are times of different clocks
  talk.pass(2s);
  EXPECT_EQ(talk.ask(),
            fmt::format("/api/v4/futures/usdt/trades?contract=X_USDT&from={}&to={}&limit=1000",
                        kEpoch - 10, kEpoch + 11));
  EXPECT_EQ(talk.answer(gate_futures_page(101, 106)).end, BackfillEnd::kFilled);
}

TEST(TradeBackfill, ARequestThatIsWrongIsNotRepeated) {
  Conversation talk(Venue::kGateSpot);
  talk.open(101, 105, "币安人生_USDT");
  talk.pass(2s);
  EXPECT_EQ(talk.ask(),
            "/api/v4/spot/trades?currency_pair=%E5%B8%81%E5%AE%89%E4%BA%BA%E7%94%9F_USDT&"
            "last_id=100&limit=1000");
  const auto outcome = talk.answer(R"({"label":"INVALID_CURRENCY_PAIR"})", 400);
  EXPECT_EQ(outcome.end, BackfillEnd::kGivenUp);
  EXPECT_NE(outcome.why.find("status 400"), std::string::npos);
}

TEST(TradeBackfill, AnAnswerWithoutARequestMeansNothing) {
  Conversation talk(Venue::kBinanceSpot);
  EXPECT_FALSE(talk.answer("[]").end);
}

TEST(TradeBackfill, MoreGapsThanFitWaitOutside) {
  Conversation talk(Venue::kBinanceSpot);
  std::vector<TradeGap> gaps;
  for (int64_t i = 0; i < 1'500; ++i)
    gaps.push_back({Venue::kBinanceSpot, "S", 10 * i, 10 * i + 5});
  talk.backfill().set_open_gaps(gaps, talk.now());
  EXPECT_EQ(talk.backfill().waiting_count(), TradeBackfill::kGapsMax);
}

TEST(TradeBackfill, ReadsHowLongToWaitFromEachExchangesHeader) {
  const auto wait = [](const std::string& name, const std::string& value) {
    const std::vector<std::pair<std::string, std::string>> headers{{"Date", "7"}, {name, value}};
    return retry_after_of(headers, kEpoch);
  };
  EXPECT_EQ(wait("Retry-After", "12"), 12s);
  EXPECT_EQ(wait("gw-ratelimit-reset", "1500"), 1500ms);
  EXPECT_EQ(wait("X-Gate-RateLimit-Reset-Timestamp", fmt::format("{}", kEpoch + 3)), 3s);
  EXPECT_EQ(wait("Retry-After", "99999999999999"), 24h);
  EXPECT_EQ(wait("Retry-After", "soon"), std::nullopt);
}

}  // namespace
}  // namespace tapeworks::recorder
