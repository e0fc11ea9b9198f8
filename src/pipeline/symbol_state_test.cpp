#include "pipeline/symbol_state.h"

#include <cstdint>
#include <set>

#include <gtest/gtest.h>

#include "base/random.h"
#include "pipeline/pnl_checkpoint.h"
#include "pipeline/pnl_fingerprint.h"
#include "pipeline/pnl_tables.h"
#include "pipeline/pnl_test_support.h"
#include "pipeline/symbol_pnl.h"

namespace tapeworks {
namespace {

using test::expect_same;
using test::SummaryBuilder;
using test::TradedDay;
using test::value_of;

constexpr int32_t kFirstDay = 19300;
constexpr int32_t kDays = 60;

class Numbers {
 public:
  explicit Numbers(uint64_t seed) : seed_(seed) {}
  uint32_t below(uint32_t count) { return random_below(random_bits(seed_, next_++), count); }

 private:
  uint64_t seed_;
  uint64_t next_ = 0;
};

/// A symbol's trades and closes, made of a seed.
class RandomSymbol {
 public:
  explicit RandomSymbol(uint64_t seed) : random_(seed) {
    for (int32_t day = 0; day < kDays; ++day) {
      // Some days nobody trades, some days have no close.
      if (random_.below(5) != 0) prices_.date.push_back(Day{kFirstDay + day});
      if (random_.below(4) == 0) continue;
      for (const char* broker : {"1440", "8888", "9A00", "9a00"}) {
        if (random_.below(2) == 0) rows_.push_back({broker, Day{kFirstDay + day}, traded()});
      }
    }
    for (size_t i = 0; i < prices_.date.size(); ++i) {
      prices_.close.push_back(random_.below(20) == 0 ? test::kNull : price());
    }
  }

  /// What was known at the end of `last`.
  DailySummary summary_up_to(Day last) const {
    SummaryBuilder builder;
    for (const Row& row : rows_) {
      if (row.day <= last) builder.add(row.broker, row.day, row.traded);
    }
    return builder.build();
  }
  PriceSeries prices_up_to(Day last) const {
    PriceSeries prices;
    for (size_t i = 0; i < prices_.date.size() && prices_.date[i] <= last; ++i) {
      prices.date.push_back(prices_.date[i]);
      prices.close.push_back(prices_.close[i]);
    }
    return prices;
  }
  Day any_day() { return Day{kFirstDay - 2 + static_cast<int32_t>(random_.below(kDays + 4))}; }
  /// Up to three, ascending; often close together.
  std::vector<Day> any_days() {
    std::vector<Day> days{any_day()};
    for (uint32_t more = random_.below(3); more > 0; --more) {
      days.push_back(
          Day{days.back().days_since_epoch + 1 + static_cast<int32_t>(random_.below(9))});
    }
    return days;
  }

 private:
  struct Row {
    std::string broker;
    Day day;
    TradedDay traded;
  };
  double price() { return static_cast<double>(1 + random_.below(100'000)) / 100; }
  TradedDay traded() {
    TradedDay day;
    // Small counts, so that positions often close and flip; zero rows as well.
    day.buy_shares = static_cast<int32_t>(random_.below(3) * (1 + random_.below(50)));
    day.sell_shares = static_cast<int32_t>(random_.below(3) * (1 + random_.below(50)));
    day.buy_amount = static_cast<double>(static_cast<float>(day.buy_shares * price()));
    day.sell_amount = static_cast<double>(static_cast<float>(day.sell_shares * price()));
    return day;
  }

  Numbers random_;
  std::vector<Row> rows_;
  PriceSeries prices_;
};

std::string bytes_of(const std::vector<SymbolState>& states) {
  PnlCheckpoint checkpoint;
  for (const SymbolState& state : states) checkpoint.states.push_back({state, 0});
  return encode_pnl_checkpoint(checkpoint);
}

/// The state as a checkpoint file gives it back.
SymbolState through_a_file(const SymbolState& state) {
  PnlCheckpoint checkpoint;
  checkpoint.states.push_back({state, 1});
  return value_of(decode_pnl_checkpoint(encode_pnl_checkpoint(checkpoint))).states[0].state;
}

TEST(SymbolState, GoingOnFromAnyDayGivesTheBitsOfTheWhole) {
  int resumed_count = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    RandomSymbol symbol(seed);
    const Day start = symbol.any_day();
    const Day known = symbol.any_day();
    PnlStates before{.from = nullptr, .save_days = symbol.any_days()};
    const DailySummary old = symbol.summary_up_to(known);
    const PriceSeries old_prices = symbol.prices_up_to(known);
    value_of(compute_symbol_pnl(old, old_prices, {.start = start, .as_of = known}, before));
    if (before.saved.empty()) continue;

    const Day end{kFirstDay + kDays};
    const DailySummary summary = symbol.summary_up_to(end);
    const PriceSeries prices = symbol.prices_up_to(end);
    const PnlOptions options{.start = start, .as_of = std::max(known, symbol.any_day())};
    const SymbolState state = through_a_file(before.saved.back());
    const std::vector<Day> later = symbol.any_days();
    // What came later is no reason to distrust the state, nor which other days are asked for.
    std::vector<Day> days = later;
    days.push_back(state.day);
    EXPECT_EQ(StateFingerprints(old, old_prices, options, {state.day}).up_to(state.day),
              StateFingerprints(summary, prices, options, days).up_to(state.day));
    PnlStates after{.from = &state, .save_days = later};
    const SymbolPnl resumed = value_of(compute_symbol_pnl(summary, prices, options, after));
    const SymbolPnl whole = value_of(compute_symbol_pnl(summary, prices, options));
    expect_same(resumed, whole);
    ++resumed_count;
    // States that were saved on the way are as good as those of the whole.
    PnlStates at_once{.from = nullptr, .save_days = later};
    value_of(compute_symbol_pnl(summary, prices, options, at_once));
    std::erase_if(at_once.saved, [&](const SymbolState& saved) { return saved.day <= state.day; });
    EXPECT_EQ(bytes_of(after.saved), bytes_of(at_once.saved));
  }
  EXPECT_GT(resumed_count, 100);
}

TEST(SymbolState, AStateOfOtherRowsIsNoticedWhereItCannotBe) {
  const auto summary =
      SummaryBuilder().add("1440", Day{kFirstDay}, {.buy_shares = 5, .buy_amount = 50}).build();
  const PnlOptions options{.start = Day{kFirstDay}, .as_of = Day{kFirstDay}};
  for (const size_t accounts : {size_t{0}, size_t{2}}) {
    const SymbolState state{Day{kFirstDay}, std::vector<AccountState>(accounts)};
    PnlStates states{.from = &state};
    EXPECT_FALSE(compute_symbol_pnl(summary, {}, options, states)) << accounts;
  }
  SymbolState too_long{Day{kFirstDay}, std::vector<AccountState>(1)};
  too_long.accounts[0].open_shares = 6;
  PnlStates states{.from = &too_long};
  EXPECT_FALSE(compute_symbol_pnl(summary, {}, options, states));
}

TEST(StateFingerprints, TellEveryChangeUpToTheDayAndNoneBehindIt) {
  const auto build = [](int32_t shares, double amount, const char* broker, Day day) {
    return SummaryBuilder()
        .add("1440", Day{kFirstDay}, {.buy_shares = 5, .buy_amount = 50})
        .add(broker, day, {.sell_shares = shares, .sell_amount = amount})
        .build();
  };
  const Day day{kFirstDay + 1};
  const PriceSeries prices{{Day{kFirstDay}, day}, {10, 11}};
  const PnlOptions options{.start = Day{kFirstDay}, .as_of = day};
  const auto up_to = [&](const DailySummary& summary, Day last) {
    return StateFingerprints(summary, prices, options, {last}).up_to(last);
  };
  const DailySummary summary = build(3, 30, "9A00", day);
  const uint64_t fingerprint = up_to(summary, day);
  const auto changed = [&](auto change) {
    DailySummary other = summary;
    change(other);
    return up_to(other, day);
  };
  EXPECT_NE(changed([](DailySummary& other) { ++other.buy_shares[0]; }), fingerprint);
  EXPECT_NE(changed([](DailySummary& other) { ++other.buy_amount[0]; }), fingerprint);
  EXPECT_NE(changed([](DailySummary& other) { std::swap(other.buy_shares, other.sell_shares); }),
            fingerprint);
  EXPECT_NE(changed([](DailySummary& other) { std::swap(other.buy_amount, other.sell_amount); }),
            fingerprint);
  EXPECT_NE(changed([](DailySummary& other) { other.broker_index[1] = 0; }), fingerprint);
  EXPECT_NE(up_to(build(4, 30, "9A00", day), day), fingerprint);
  EXPECT_NE(up_to(build(3, 31, "9A00", day), day), fingerprint);
  EXPECT_NE(up_to(build(3, 30, "9a00", day), day), fingerprint);
  EXPECT_NE(up_to(build(3, 30, "9A00", Day{kFirstDay}), day), fingerprint);
  EXPECT_NE(up_to(build(3, 30, "9A00", Day{kFirstDay + 2}), day), fingerprint);
  EXPECT_EQ(up_to(build(4, 31, "8888", day), Day{kFirstDay}), up_to(summary, Day{kFirstDay}));

  const PriceSeries other{{Day{kFirstDay}, day}, {10, 12}};
  EXPECT_NE(StateFingerprints(summary, other, options, {day}).up_to(day), fingerprint);
  EXPECT_EQ(StateFingerprints(summary, other, options, {day, Day{kFirstDay}}).up_to(Day{kFirstDay}),
            up_to(summary, Day{kFirstDay}));
  PnlOptions later = options;
  later.start = day;
  EXPECT_NE(StateFingerprints(summary, prices, later, {day}).up_to(day), fingerprint);
}

/// The fingerprint of an account with these two days.
uint64_t fingerprint_of(const TradedDay& first, const TradedDay& second) {
  const Day last{kFirstDay + 1};
  const DailySummary summary =
      SummaryBuilder().add("A", Day{kFirstDay}, first).add("A", last, second).build();
  const PnlOptions options{.start = Day{kFirstDay}, .as_of = last};
  return StateFingerprints(summary, {}, options, {last}).up_to(last);
}

TEST(StateFingerprints, TellRoundAmountsOfOneRowApart) {
  // Small multiples of a power of two differ in the upper bits of a double only.
  std::set<uint64_t> seen;
  for (int bought = 0; bought < 150; ++bought) {
    for (int sold = 0; sold < 150; ++sold) {
      seen.insert(fingerprint_of({}, {.buy_shares = 1,
                                      .buy_amount = bought * 1024.0,
                                      .sell_shares = 1,
                                      .sell_amount = sold * 1024.0}));
    }
  }
  EXPECT_EQ(seen.size(), 150U * 150U);
}

TEST(StateFingerprints, TellWhichRowHasWhat) {
  const TradedDay one{.buy_shares = 2, .buy_amount = 20, .sell_shares = 3, .sell_amount = 40};
  const TradedDay two{.buy_shares = 5, .buy_amount = 80, .sell_shares = 7, .sell_amount = 160};
  TradedDay one_bought_as_two = one;
  one_bought_as_two.buy_amount = two.buy_amount;
  TradedDay two_bought_as_one = two;
  two_bought_as_one.buy_amount = one.buy_amount;
  TradedDay one_doubled = one;
  one_doubled.buy_amount *= 2;
  one_doubled.sell_amount *= 2;
  const TradedDay one_turned{
      .buy_shares = 3, .buy_amount = 40, .sell_shares = 2, .sell_amount = 20};
  const uint64_t fingerprint = fingerprint_of(one, two);
  EXPECT_NE(fingerprint_of(two, one), fingerprint);
  EXPECT_NE(fingerprint_of(one_bought_as_two, two_bought_as_one), fingerprint);
  EXPECT_NE(fingerprint_of(one_doubled, two), fingerprint);
  EXPECT_NE(fingerprint_of(one_turned, two), fingerprint);
}

}  // namespace
}  // namespace tapeworks
