#include "pipeline/symbol_pnl.h"

#include <cmath>
#include <deque>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "pipeline/fifo_lots.h"
#include "pipeline/pnl_test_support.h"
#include "pipeline/timing.h"

namespace tapeworks::test {
namespace {

// 2023-01-03 to 01-06 are Tuesday to Friday, as in the worked examples; the start is 2023-01-01.
constexpr const char* kBefore1 = "2022-12-29";
constexpr const char* kBefore2 = "2022-12-30";
constexpr const char* kDay3 = "2023-01-03";
constexpr const char* kDay4 = "2023-01-04";
constexpr const char* kDay5 = "2023-01-05";
constexpr const char* kDay6 = "2023-01-06";

TradedDay bought(int32_t shares, double price) {
  return {.buy_shares = shares, .buy_amount = shares * price};
}
TradedDay sold(int32_t shares, double price) {
  return {.sell_shares = shares, .sell_amount = shares * price};
}

SymbolPnl run(const DailySummary& summary, const PriceSeries& prices, const char* as_of = kDay6,
              Mode mode = Mode::kDefault) {
  return value_of(
      compute_symbol_pnl(summary, prices, {.mode = mode, .as_of = day(as_of), .daily = true}));
}

AccountPnl run_one(const SummaryBuilder& builder, const PriceSeries& prices,
                   const char* as_of = kDay6) {
  return run(builder.build(), prices, as_of).accounts.at(0);
}

// ---- Prices of the default mode

TEST(DefaultPrices, ACloseOfADayWithoutTradesIsSeen) {
  const auto account = run_one(SummaryBuilder().add("A", day(kDay3), bought(100, 10)),
                               closes({{kDay3, 11}, {kDay5, 40}}));
  EXPECT_EQ(account.unrealized_pnl, 3000);
}

TEST(DefaultPrices, ACloseBeforeTheFirstTradeIsSeen) {
  const auto account =
      run_one(SummaryBuilder().add("A", day(kDay4), bought(100, 10)), closes({{kDay3, 12}}));
  EXPECT_EQ(account.unrealized_pnl, 200);
}

TEST(DefaultPrices, ValuationTakesTheLastCloseOnOrBeforeAsOf) {
  const SummaryBuilder builder = SummaryBuilder().add("A", day(kDay3), bought(100, 10));
  const PriceSeries prices = closes({{kDay3, 11}, {kDay5, 40}});
  EXPECT_EQ(run_one(builder, prices, kDay4).unrealized_pnl, 100);
  EXPECT_EQ(run_one(builder, prices, kDay5).unrealized_pnl, 3000);
}

TEST(DefaultPrices, ZeroAndNullAreNoCloseNeitherForValuesNorForReturns) {
  const SummaryBuilder builder =
      SummaryBuilder().add("A", day(kDay3), bought(100, 10)).add("B", day(kDay6), bought(1, 10));
  const SymbolPnl gaps =
      run(builder.build(), closes({{kDay3, 10}, {kDay4, 0}, {kDay5, kNull}, {kDay6, 12}}));
  const SymbolPnl clean = run(builder.build(), closes({{kDay3, 10}, {kDay6, 12}}));
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(gaps.accounts[i].unrealized_pnl, clean.accounts[i].unrealized_pnl);
    EXPECT_EQ(gaps.accounts[i].timing_alpha, clean.accounts[i].timing_alpha);
  }
  EXPECT_EQ(gaps.accounts[0].unrealized_pnl, 200);
  EXPECT_NEAR(gaps.accounts[0].timing_alpha, 10, 1e-12);
}

TEST(DefaultPrices, AZeroOnTheLastDayLeavesTheCloseBefore) {
  const auto account = run_one(SummaryBuilder().add("A", day(kDay3), bought(100, 10)),
                               closes({{kDay3, 11}, {kDay4, 0}}));
  EXPECT_EQ(account.unrealized_pnl, 100);
  EXPECT_EQ(account.unpriced_cost, 0);
}

TEST(DefaultPrices, WithoutAnyCloseNothingIsValuedAndTheCostIsUnpriced) {
  const SummaryBuilder builder = SummaryBuilder()
                                     .add("long", day(kDay3), bought(100, 10))
                                     .add("short", day(kDay3), sold(50, 20));
  const SymbolPnl pnl = run(builder.build(), closes({{kDay3, 0}, {kDay4, kNull}}));
  for (const AccountPnl& account : pnl.accounts) {
    EXPECT_EQ(account.unrealized_pnl, 0);
    EXPECT_EQ(account.total_pnl, 0);
    EXPECT_EQ(account.unpriced_cost, 1000);
  }
  EXPECT_TRUE(pnl.daily.empty());
}

TEST(DefaultPrices, BeforeTheFirstCloseTheCostIsUnpriced) {
  const SummaryBuilder builder = SummaryBuilder().add("A", day(kDay3), bought(100, 10));
  const PriceSeries prices = closes({{kDay5, 12}});
  EXPECT_EQ(run_one(builder, prices, kDay4).unpriced_cost, 1000);
  EXPECT_EQ(run_one(builder, prices, kDay4).unrealized_pnl, 0);
  EXPECT_EQ(run_one(builder, prices, kDay5).unpriced_cost, 0);
  EXPECT_EQ(run_one(builder, prices, kDay5).unrealized_pnl, 200);
}

TEST(DefaultMode, LeavesOutTradesAfterAsOfButKeepsTheirAccounts) {
  const SummaryBuilder builder = SummaryBuilder()
                                     .add("A", day(kDay3), bought(100, 10))
                                     .add("A", day(kDay5), sold(100, 30))
                                     .add("B", day(kDay5), bought(7, 10));
  const SymbolPnl pnl =
      run(builder.build(), closes({{kDay3, 10}, {kDay4, 12}, {kDay5, 50}}), kDay4);
  ASSERT_EQ(pnl.accounts.size(), 2);
  EXPECT_EQ(pnl.accounts[0].realized_pnl, 0);
  EXPECT_EQ(pnl.accounts[0].unrealized_pnl, 200);
  EXPECT_EQ(pnl.accounts[0].total_sell_amount, 0);
  EXPECT_EQ(pnl.accounts[0].timing_alpha, 0) << "the series has one date only";
  EXPECT_EQ(pnl.accounts[1].total_buy_amount, 0);
  ASSERT_EQ(pnl.lots.size(), 1);
  EXPECT_EQ(pnl.lots[0].shares, 100);
}

TEST(DefaultMode, GivesTheCostOfOpenLotsBySide) {
  const SymbolPnl pnl = run(SummaryBuilder()
                                .add("A", day(kDay3), bought(100, 10))
                                .add("A", day(kDay4), bought(100, 20))
                                .add("A", day(kDay5), sold(50, 30))
                                .add("B", day(kDay3), sold(10, 11))
                                .build(),
                            closes({{kDay3, 10}}));
  EXPECT_EQ(pnl.accounts[0].open_long_cost, 50 * 10 + 100 * 20);
  EXPECT_EQ(pnl.accounts[0].open_short_cost, 0);
  EXPECT_EQ(pnl.accounts[1].open_long_cost, 0);
  EXPECT_EQ(pnl.accounts[1].open_short_cost, 110);
}

TEST(DefaultMode, GivesEveryBrokerAnAccountAlsoWithoutRows) {
  DailySummary summary = SummaryBuilder().add("A", day(kDay3), bought(1, 10)).build();
  summary.brokers = {"0", "A", "B"};
  summary.broker_index = {1};
  for (const Mode mode : {Mode::kDefault, Mode::kCompatV1, Mode::kCompatV2}) {
    const SymbolPnl pnl = run(summary, closes({}), kDay6, mode);
    ASSERT_EQ(pnl.accounts.size(), 3);
    EXPECT_EQ(pnl.accounts[1].total_buy_amount, 10);
    EXPECT_EQ(pnl.accounts[2].broker_index, 2);
    EXPECT_EQ(pnl.accounts[2].total_buy_amount, 0);
  }
}

// ---- The level at the start

TEST(OpeningLevel, IsTheValueOfTheLotsHeldBeforeTheStartAtTheCloseBeforeIt) {
  const auto account = run_one(SummaryBuilder()
                                   .add("A", day(kBefore1), bought(100, 10))
                                   .add("A", day(kBefore2), sold(40, 15))
                                   .add("A", day(kDay3), sold(60, 30)),
                               closes({{kBefore1, 11}, {kBefore2, 16}, {kDay3, 99}}));
  EXPECT_EQ(account.opening_unrealized_pnl, 60 * 6);
  EXPECT_EQ(account.realized_pnl, 60 * 20);
}

TEST(OpeningLevel, CountsACloseOfTheStartItselfAsAfter) {
  const SummaryBuilder builder = SummaryBuilder().add("A", day(kBefore1), bought(100, 10));
  const DailySummary summary = builder.build();
  const auto opening = [&](const char* start) {
    return value_of(compute_symbol_pnl(summary, closes({{kDay3, 12}, {kDay4, 13}}),
                                       {.start = day(start), .as_of = day(kDay6)}))
        .accounts[0]
        .opening_unrealized_pnl;
  };
  EXPECT_EQ(opening(kDay3), 0) << "unpriced then";
  EXPECT_EQ(opening(kDay4), 200);
  EXPECT_EQ(opening(kDay5), 300);
}

TEST(OpeningLevel, IsZeroWhenNothingWasHeld) {
  const auto account = run_one(SummaryBuilder()
                                   .add("A", day(kBefore1), bought(100, 10))
                                   .add("A", day(kBefore2), sold(100, 15))
                                   .add("A", day(kDay3), bought(60, 30)),
                               closes({{kBefore1, 11}, {kBefore2, 16}, {kDay3, 99}}));
  EXPECT_EQ(account.opening_unrealized_pnl, 0);
}

TEST(OpeningLevel, OfAStartAfterAsOfSeesNoLaterClose) {
  const DailySummary summary = SummaryBuilder().add("A", day(kDay3), bought(100, 10)).build();
  const SymbolPnl pnl = value_of(compute_symbol_pnl(summary, closes({{kDay3, 11}, {kDay5, 40}}),
                                                    {.start = day(kDay6), .as_of = day(kDay4)}));
  EXPECT_EQ(pnl.accounts[0].opening_unrealized_pnl, 100);
  EXPECT_EQ(pnl.accounts[0].unrealized_pnl, 100);
}

// ---- Daily rows

TEST(DailyRows, CarryTheLastCloseAndStandWhereSomethingIsNotZero) {
  const SymbolPnl pnl = run(SummaryBuilder()
                                .add("A", day(kBefore1), bought(100, 10))
                                .add("A", day(kDay4), sold(100, 13))
                                .add("B", day(kDay3), bought(1, 12))
                                .add("B", day(kDay5), bought(1, 12))
                                .build(),
                            closes({{kBefore1, 10}, {kBefore2, 12}, {kDay5, 12}}));
  ASSERT_EQ(pnl.daily.size(), 2);
  EXPECT_EQ(pnl.daily[0].date, day(kDay3)) << "the level of 2022-12-29 is zero";
  EXPECT_EQ(pnl.daily[0].unrealized_pnl, 200) << "at the close of a day without trades";
  EXPECT_EQ(pnl.daily[0].realized_pnl, 0);
  EXPECT_EQ(pnl.daily[1].date, day(kDay4));
  EXPECT_EQ(pnl.daily[1].realized_pnl, 300);
  EXPECT_EQ(pnl.daily[1].unrealized_pnl, 0);
}

TEST(DailyRows, BeforeTheStartAreGivenToo) {
  const SymbolPnl pnl = run(SummaryBuilder()
                                .add("A", day(kBefore1), bought(100, 10))
                                .add("A", day(kBefore2), sold(100, 13))
                                .build(),
                            closes({{kBefore1, 11}}));
  ASSERT_EQ(pnl.daily.size(), 2);
  EXPECT_EQ(pnl.daily[0].unrealized_pnl, 100);
  EXPECT_EQ(pnl.daily[1].realized_pnl, 300);
  EXPECT_EQ(pnl.accounts[0].realized_pnl, 0);
}

// ---- Timing

TEST(DefaultTiming, OfConstantNetSharesIsExactlyZero) {
  SummaryBuilder builder;
  for (const char* date : {kDay3, kDay4, kDay5, kDay6}) {
    builder.add("A", day(date), bought(100, 10));
  }
  const auto account =
      run_one(builder, closes({{kDay3, 10.1}, {kDay4, 10.7}, {kDay5, 9.3}, {kDay6, 11.9}}));
  EXPECT_EQ(account.timing_alpha, 0);
  EXPECT_EQ(account.timing_score, 0);
}

TEST(DefaultTiming, ScoreIsAlphaOverTheDeviation) {
  const SummaryBuilder builder =
      SummaryBuilder().add("A", day(kDay3), bought(100, 10)).add("B", day(kDay4), bought(1, 10));
  const auto account = run_one(builder, closes({{kDay3, 10}, {kDay4, 12}}));
  EXPECT_DOUBLE_EQ(account.timing_alpha, 10);
  EXPECT_DOUBLE_EQ(account.timing_score, 0.2);
}

TEST(TimingSums, KeepTheSpreadExactWhereDoublesWouldLoseIt) {
  // 2^31 shares on each of a thousand dates but one, which has a share less: the squares need more
  // than the 53 bits of a double, and the variance is the difference of two such numbers.
  constexpr size_t kDates = 1000;
  constexpr int64_t kShares = int64_t{1} << 31;
  TimingSums sums;
  for (size_t t = 0; t < kDates; ++t) sums.add(t == 0 ? kShares - 1 : kShares, t == 0 ? 1.0 : 0.0);
  DoubleDouble later_returns;
  later_returns.add(1.0);
  const Timing timing = sums.result(kDates, later_returns);
  // x is mean - 0.999 on the first date and mean + 0.001 on the others.
  EXPECT_DOUBLE_EQ(timing.alpha, -0.999);
  EXPECT_DOUBLE_EQ(timing.score, -0.999 / std::sqrt(0.000999));
}

// ---- Errors

TEST(SymbolPnlErrors, ANullDateNamesSymbolAndBroker) {
  const DailySummary summary = SummaryBuilder("1101").add("A1", kNullDay, bought(1, 1)).build();
  for (const Mode mode : {Mode::kDefault, Mode::kCompatV1, Mode::kCompatV2}) {
    const auto pnl = compute_symbol_pnl(summary, {}, {.mode = mode, .as_of = day(kDay6)});
    ASSERT_FALSE(pnl);
    EXPECT_EQ(pnl.error().kind, ErrorKind::kCorrupt);
    EXPECT_NE(pnl.error().message.find("symbol 1101: broker A1"), std::string::npos);
  }
}

TEST(SymbolPnlErrors, OnlyV1StopsAtANullCloseAndOnlyWhereTheReferenceLooks) {
  const DailySummary summary = SummaryBuilder().add("A", day(kDay4), bought(1, 10)).build();
  const auto fails = [&](Mode mode, const PriceSeries& prices) {
    return !compute_symbol_pnl(summary, prices, {.mode = mode, .as_of = day(kDay6)});
  };
  const PriceSeries on_trade_date = closes({{kDay4, kNull}});
  const PriceSeries begin_of_return = closes({{kDay3, kNull}, {kDay4, 10}});
  const PriceSeries end_of_return = closes({{kDay4, 10}, {kDay5, kNull}});
  for (const PriceSeries& prices : {on_trade_date, begin_of_return, end_of_return}) {
    EXPECT_TRUE(fails(Mode::kCompatV1, prices));
    EXPECT_FALSE(fails(Mode::kCompatV2, prices));
    EXPECT_FALSE(fails(Mode::kDefault, prices));
  }
  EXPECT_FALSE(fails(Mode::kCompatV1, closes({{kDay5, kNull}}))) << "nothing compares it";
}

TEST(TradeDatesFarApart, GiveTheSameResultWithoutATableOfDays) {
  const SummaryBuilder builder = SummaryBuilder()
                                     .add("A", day("0001-01-01"), bought(100, 10))
                                     .add("A", day("9999-12-31"), sold(100, 12));
  const auto account = run_one(builder, closes({}), "9999-12-31");
  EXPECT_EQ(account.realized_pnl, 200);
}

// ---- Properties, over random histories

struct RandomHistory {
  DailySummary summary;
  PriceSeries prices;
};

RandomHistory random_history(uint64_t seed) {
  uint64_t next = 0;
  const auto below = [&](uint32_t count) { return random_below(random_bits(seed, next++), count); };
  SummaryBuilder builder;
  RandomHistory history;
  const Day first = day("2022-11-01");
  for (uint32_t t = 0; t < 120; ++t) {
    const Day date{first.days_since_epoch + static_cast<int32_t>(t)};
    const double close = 20 + below(4000) / 100.0;
    history.prices.date.push_back(date);
    history.prices.close.push_back(static_cast<double>(static_cast<float>(close)));
    // One broker trades every day, so that each date is a trade date.
    builder.add("daily", date, bought(1, close));
    for (const char* broker : {"9A00", "9B00", "9C00", "9D00"}) {
      if (below(3) == 0) continue;
      TradedDay traded;
      if (below(2) == 0) traded.buy_shares = static_cast<int32_t>(below(50) * below(1000));
      if (below(2) == 0) traded.sell_shares = static_cast<int32_t>(below(50) * below(1000));
      traded.buy_amount =
          static_cast<double>(static_cast<float>(traded.buy_shares * (close - 0.5)));
      traded.sell_amount =
          static_cast<double>(static_cast<float>(traded.sell_shares * (close + 0.25)));
      builder.add(broker, date, traded);
    }
  }
  history.summary = builder.build();
  return history;
}

class RandomHistories : public testing::TestWithParam<uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Seeds, RandomHistories, testing::Range<uint64_t>(1, 21));

TEST_P(RandomHistories, BoughtMinusSoldEqualsTheOpenLots) {
  const RandomHistory history = random_history(GetParam());
  for (const Mode mode : {Mode::kDefault, Mode::kCompatV1}) {
    std::vector<int64_t> open(history.summary.brokers.size(), 0);
    for (size_t row = 0; row < history.summary.row_count(); ++row) {
      open[history.summary.broker_index[row]] +=
          history.summary.buy_shares[row] - history.summary.sell_shares[row];
    }
    for (const OpenLot& lot : run(history.summary, history.prices, "2023-12-31", mode).lots) {
      EXPECT_GT(lot.shares, 0);
      open[lot.broker_index] -= lot.is_long ? lot.shares : -lot.shares;
    }
    for (const int64_t left : open) EXPECT_EQ(left, 0);
  }
}

TEST_P(RandomHistories, DefaultEqualsTheReferenceOrderWithin1e12OfTheTradedAmount) {
  const RandomHistory history = random_history(GetParam());
  const char* const last = "2023-02-28";  // 120 days from 2022-11-01
  const SymbolPnl exact = run(history.summary, history.prices, last);
  const SymbolPnl plain = run(history.summary, history.prices, last, Mode::kCompatV1);
  const SymbolPnl scored = run(history.summary, history.prices, last, Mode::kCompatV2);
  ASSERT_EQ(exact.accounts.size(), 5);
  for (size_t i = 0; i < exact.accounts.size(); ++i) {
    const AccountPnl& left = exact.accounts[i];
    const AccountPnl& right = plain.accounts[i];
    // History before the start counts too: its lots are realised after it.
    double traded = 1;
    double net = 0;
    for (size_t row = 0; row < history.summary.row_count(); ++row) {
      if (history.summary.broker_index[row] != i) continue;
      traded += history.summary.buy_amount[row] + history.summary.sell_amount[row];
      net += history.summary.buy_shares[row] + history.summary.sell_shares[row];
    }
    EXPECT_NEAR(left.realized_pnl, right.realized_pnl, 1e-12 * traded);
    EXPECT_NEAR(left.unrealized_pnl, right.unrealized_pnl, 1e-12 * traded);
    EXPECT_NEAR(left.total_buy_amount, right.total_buy_amount, 1e-12 * traded);
    EXPECT_NEAR(left.total_sell_amount, right.total_sell_amount, 1e-12 * traded);
    EXPECT_NEAR(left.timing_alpha, right.timing_alpha, 1e-12 * net);
    EXPECT_NEAR(left.timing_score, scored.accounts[i].timing_alpha, 1e-10);
  }
  ASSERT_EQ(exact.daily.size(), plain.daily.size());
  ASSERT_EQ(exact.lots.size(), plain.lots.size());
}

TEST_P(RandomHistories, LastDailyRowIsTheUnrealizedPnlAndTheRowsAddUpToTheRealized) {
  const RandomHistory history = random_history(GetParam());
  const SymbolPnl pnl = run(history.summary, history.prices, "2023-02-28");
  for (const AccountPnl& account : pnl.accounts) {
    DoubleDouble realized;
    double level = 0;
    for (const DailyPnl& daily : pnl.daily) {
      if (daily.broker_index != account.broker_index) continue;
      if (daily.date >= day("2023-01-01")) realized.add(daily.realized_pnl);
      if (daily.date == day("2023-02-28")) level = daily.unrealized_pnl;
    }
    EXPECT_PRED2(same_bits, level, account.unrealized_pnl);
    EXPECT_NEAR(realized.value(), account.realized_pnl,
                1e-12 * (1 + account.total_buy_amount + account.total_sell_amount));
  }
}

TEST_P(RandomHistories, TellingEveryDayChangesNoAccountAndNoLot) {
  const RandomHistory history = random_history(GetParam());
  struct Days {
    const char* start;
    const char* as_of;
  };
  for (const auto& [start, as_of] :
       {Days{"2023-01-01", "2023-02-28"}, Days{"2023-01-01", "2023-01-15"},
        Days{"2022-01-01", "2023-02-01"}, Days{"2023-02-01", "2023-01-15"},
        Days{"2022-12-24", "2022-12-24"}, Days{"2023-01-01", "2022-10-31"}}) {
    PnlOptions options{.start = day(start), .as_of = day(as_of)};
    const SymbolPnl without =
        value_of(compute_symbol_pnl(history.summary, history.prices, options));
    EXPECT_TRUE(without.daily.empty() && without.ledger.empty());
    for (const bool daily : {false, true}) {
      options.daily = daily;
      options.ledger = true;
      SymbolPnl with = value_of(compute_symbol_pnl(history.summary, history.prices, options));
      with.daily.clear();
      with.ledger.clear();
      expect_same(with, without);
    }
  }
}

TEST_P(RandomHistories, AnAnswerInUsedMemoryIsTheSame) {
  const RandomHistory first = random_history(GetParam());
  const RandomHistory second = random_history(GetParam() + 100);
  for (const Mode mode : {Mode::kDefault, Mode::kCompatV2}) {
    const PnlOptions all{
        .mode = mode, .as_of = day("2023-02-28"), .daily = true, .ledger = mode == Mode::kDefault};
    const PnlOptions few{.mode = mode, .as_of = day("2023-01-20")};
    for (const DailySummary& summary : {second.summary, DailySummary{}}) {
      for (const PnlOptions& options : {few, all}) {
        SymbolPnl used = value_of(compute_symbol_pnl(first.summary, first.prices, all));
        used = value_of(compute_symbol_pnl(summary, second.prices, options, std::move(used)));
        expect_same(used, value_of(compute_symbol_pnl(summary, second.prices, options)));
      }
    }
  }
}

/// FIFO as it is told in a textbook: one queue a side, one share bundle at a time.
class NaiveFifo {
 public:
  double trade(const DayTrade& day) {
    double realized = 0;
    close(longs_, shorts_, day.sell_shares, day.sell_amount, day.date,
          [&](double shares, double price, double cost) { realized += shares * (price - cost); });
    close(shorts_, longs_, day.buy_shares, day.buy_amount, day.date,
          [&](double shares, double price, double cost) { realized += shares * (cost - price); });
    return realized;
  }
  const std::deque<Lot>& longs() const { return longs_; }
  const std::deque<Lot>& shorts() const { return shorts_; }

 private:
  template <typename OnClosed>
  void close(std::deque<Lot>& from, std::deque<Lot>& rest_to, int64_t shares, double amount,
             Day date, OnClosed on_closed) {
    if (shares <= 0) return;
    const double price = amount / static_cast<double>(shares);
    while (shares > 0 && !from.empty()) {
      const int64_t taken = std::min(shares, from.front().shares);
      on_closed(static_cast<double>(taken), price, from.front().cost_per_share);
      shares -= taken;
      from.front().shares -= taken;
      if (from.front().shares == 0) from.pop_front();
    }
    if (shares > 0) rest_to.push_back({shares, price, date});
  }

  std::deque<Lot> longs_;
  std::deque<Lot> shorts_;
};

void expect_same_lots(const FifoLots& merged, const NaiveFifo& naive) {
  ASSERT_TRUE(naive.longs().empty() || naive.shorts().empty());
  const std::deque<Lot>& queue = naive.longs().empty() ? naive.shorts() : naive.longs();
  ASSERT_EQ(merged.empty(), queue.empty());
  ASSERT_TRUE(merged.empty() || merged.is_long() == naive.shorts().empty());
  size_t count = 0;
  merged.for_each_open([&](const Lot& lot) {
    ASSERT_LT(count, queue.size());
    ASSERT_EQ(lot.shares, queue[count].shares);
    ASSERT_PRED2(same_bits, lot.cost_per_share, queue[count].cost_per_share);
    ASSERT_EQ(lot.open_date, queue[count].open_date);
    ++count;
  });
  ASSERT_EQ(count, queue.size());
}

/// Two hundred days of an account; many without a buy, a sell, or either.
std::vector<DayTrade> random_days(uint64_t key) {
  std::vector<DayTrade> days;
  for (uint64_t t = 0; t < 200; ++t) {
    const auto number = [&](uint64_t field, uint32_t count) {
      return static_cast<int32_t>(random_below(random_bits(key, t * 8 + field), count));
    };
    days.push_back({.date = Day{static_cast<int32_t>(t)},
                    .buy_shares = number(0, 3) * number(1, 90) - 2,
                    .sell_shares = number(2, 3) * number(3, 90) - 2,
                    .buy_amount = number(4, 100000) / 7.0,
                    .sell_amount = number(5, 100000) / 7.0});
  }
  return days;
}

TEST_P(RandomHistories, MergedFifoEqualsQueuesBitForBit) {
  FifoLots merged;
  for (uint64_t account = 0; account < 50; ++account) {
    merged.clear();
    NaiveFifo naive;
    for (const DayTrade& trade : random_days(derive_key(GetParam(), account))) {
      double realized = 0;
      merged.trade(trade, [&](double gain) { realized += gain; });
      ASSERT_PRED2(same_bits, realized, naive.trade(trade));
      ASSERT_NO_FATAL_FAILURE(expect_same_lots(merged, naive));
    }
  }
}

TEST_P(RandomHistories, DaysTakenTogetherGiveTheGainsOfEachInItsOrder) {
  FifoLots together;
  FifoLots one_by_one;
  for (uint64_t account = 0; account < 50; ++account) {
    const uint64_t key = derive_key(GetParam(), account);
    const std::vector<DayTrade> days = random_days(key);
    together.clear();
    one_by_one.clear();
    NaiveFifo naive;
    size_t batch = 0;
    for (size_t begin = 0; begin < days.size(); ++batch) {
      // Sometimes none.
      const size_t count = random_below(random_bits(key, 1'000'000 + batch), 70);
      const size_t end = std::min(days.size(), begin + count);
      std::vector<double> gains;
      together.trade(
          begin, end, [&](size_t i) { return days[i]; },
          [&](double gain) { gains.push_back(gain); });
      size_t next = 0;
      for (; begin < end; ++begin) {
        naive.trade(days[begin]);
        one_by_one.trade(days[begin], [&](double gain) {
          ASSERT_LT(next, gains.size());
          ASSERT_PRED2(same_bits, gain, gains[next++]);
        });
      }
      ASSERT_EQ(next, gains.size());
      ASSERT_NO_FATAL_FAILURE(expect_same_lots(together, naive));
    }
  }
}

std::vector<Lot> open_lots(const FifoLots& lots) {
  std::vector<Lot> open;
  lots.for_each_open([&](const Lot& lot) { open.push_back(lot); });
  return open;
}

TEST_P(RandomHistories, LotsThatWereRestoredGoOnAsBefore) {
  FifoLots whole;
  FifoLots restored;  // held lots of any side before
  for (uint64_t account = 0; account < 50; ++account) {
    const std::vector<DayTrade> days = random_days(derive_key(GetParam(), account));
    const auto day_at = [&](size_t i) { return days[i]; };
    whole.clear();
    whole.trade(0, 100, day_at, [](double) {});
    restored.restore(whole.is_long(), open_lots(whole));
    std::vector<double> gains;
    whole.trade(100, 200, day_at, [&](double gain) { gains.push_back(gain); });
    std::vector<double> gains_of_restored;
    restored.trade(100, 200, day_at, [&](double gain) { gains_of_restored.push_back(gain); });
    ASSERT_EQ(gains_of_restored, gains);
    ASSERT_EQ(restored.is_long(), whole.is_long());
    const std::vector<Lot> open = open_lots(whole);
    const std::vector<Lot> open_of_restored = open_lots(restored);
    ASSERT_EQ(open_of_restored.size(), open.size());
    for (size_t i = 0; i < open.size(); ++i) {
      ASSERT_EQ(open_of_restored[i].shares, open[i].shares);
      ASSERT_PRED2(same_bits, open_of_restored[i].cost_per_share, open[i].cost_per_share);
      ASSERT_EQ(open_of_restored[i].open_date, open[i].open_date);
    }
  }
}

TEST(FifoLots, AreLongWhenNothingIsOpen) {
  FifoLots lots;
  EXPECT_TRUE(lots.is_long());
  lots.trade({.date = Day{1}, .sell_shares = 5, .sell_amount = 50}, [](double) {});
  EXPECT_FALSE(lots.is_long());
  double realized = 0;
  lots.trade({.date = Day{2}, .buy_shares = 5, .buy_amount = 40},
             [&](double gain) { realized += gain; });
  EXPECT_EQ(realized, 10);
  EXPECT_TRUE(lots.empty());
  EXPECT_TRUE(lots.is_long());
  lots.restore(/*is_long=*/false, {});
  EXPECT_TRUE(lots.empty());
}

}  // namespace
}  // namespace tapeworks::test
