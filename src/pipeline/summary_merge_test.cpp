#include "pipeline/summary_merge.h"

#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "pipeline/pnl_test_support.h"

namespace tapeworks {
namespace {

using test::day;
using test::expect_same;
using test::SummaryBuilder;
using test::value_of;

const Day kD1 = day("2023-01-03");
const Day kD2 = day("2023-01-04");
const Day kD3 = day("2023-01-05");

BrokerMergers mergers_of(std::vector<BrokerMerger> list) {
  return value_of(BrokerMergers::make(std::move(list), "map"));
}

std::optional<DailySummary> merged(const SummaryBuilder& builder, std::vector<BrokerMerger> list,
                                   AmountWidth amounts = AmountWidth::kFloat32) {
  return value_of(merge_summary(builder.build(), mergers_of(std::move(list)), amounts));
}

TEST(SummaryMerge, AddsUpRowsOfOneDay) {
  SummaryBuilder in;
  in.add("A", kD1, {.buy_shares = 1, .buy_amount = 10, .sell_shares = 2, .sell_amount = 20});
  in.add("A", kD3, {.buy_shares = 5, .buy_amount = 50});
  in.add("B", kD1, {.buy_shares = 3, .buy_amount = 30});
  in.add("B", kD2, {.buy_shares = 4, .buy_amount = 40});
  SummaryBuilder expected;
  expected.add("B", kD1, {.buy_shares = 4, .buy_amount = 40, .sell_shares = 2, .sell_amount = 20});
  expected.add("B", kD2, {.buy_shares = 4, .buy_amount = 40});
  expected.add("B", kD3, {.buy_shares = 5, .buy_amount = 50});
  expect_same(*merged(in, {{"A", "B", {}}}), expected.build());
}

TEST(SummaryMerge, LeavesTheNextOwnerOfACodeAlone) {
  SummaryBuilder in;
  in.add("A", kD1, {.buy_shares = 1, .buy_amount = 10});
  in.add("A", kD2, {.buy_shares = 2, .buy_amount = 20});
  in.add("A", kD3, {.buy_shares = 3, .buy_amount = 30});
  SummaryBuilder expected;
  expected.add("A", kD3, {.buy_shares = 3, .buy_amount = 30});
  expected.add("B", kD1, {.buy_shares = 1, .buy_amount = 10});
  expected.add("C", kD2, {.buy_shares = 2, .buy_amount = 20});
  expect_same(*merged(in, {{"A", "B", kD1}, {"A", "C", kD2}}), expected.build());
}

TEST(SummaryMerge, KeepsTheNullBrokerApartFromTheEmptyOne) {
  SummaryBuilder in;
  in.add(std::nullopt, kD1, {.buy_shares = 1, .buy_amount = 10});
  in.add("", kD1, {.buy_shares = 2, .buy_amount = 20});
  in.add("Z", kD1, {.buy_shares = 3, .buy_amount = 30});
  SummaryBuilder expected;
  expected.add(std::nullopt, kD1, {.buy_shares = 1, .buy_amount = 10});
  expected.add("", kD1, {.buy_shares = 2, .buy_amount = 20});
  expected.add("A", kD1, {.buy_shares = 3, .buy_amount = 30});
  expect_same(*merged(in, {{"Z", "A", {}}}), expected.build());
}

TEST(SummaryMerge, SaysWhenNothingMerges) {
  SummaryBuilder in;
  in.add("B", kD2, {.buy_shares = 1, .buy_amount = 10});
  in.add("a", kD2, {.buy_shares = 1, .buy_amount = 10});
  EXPECT_FALSE(merged(in, {{"A", "B", {}}, {"B", "C", kD1}}));
}

TEST(SummaryMerge, RoundsASumOnceToTheWidthOfTheFiles) {
  SummaryBuilder in;
  in.add("A", kD1, {.buy_shares = 1, .buy_amount = 16777216});
  in.add("B", kD1, {.buy_shares = 1, .buy_amount = 1});
  in.add("C", kD1, {.buy_shares = 1, .buy_amount = 1});
  const std::vector<BrokerMerger> map{{"A", "C", {}}, {"B", "C", {}}};
  EXPECT_EQ(merged(in, map)->buy_amount[0], 16777218);
  in.add("C", kD1, {.buy_shares = 1, .buy_amount = 0});
  EXPECT_EQ(merged(in, map)->buy_amount[0], 16777216);
  EXPECT_EQ(merged(in, map, AmountWidth::kFloat64)->buy_amount[0], 16777217);
}

TEST(SummaryMerge, KeepsWhatIsNoNumber) {
  const double infinity = std::numeric_limits<double>::infinity();
  SummaryBuilder in;
  in.add("A", kD1, {.buy_shares = 1, .buy_amount = infinity});
  in.add("B", kD1, {.buy_shares = 1, .buy_amount = 1});
  EXPECT_EQ(merged(in, {{"A", "B", {}}})->buy_amount[0], infinity);
}

TEST(SummaryMerge, RefusesSharesThatDoNotFit) {
  SummaryBuilder in;
  in.add("A", kD1, {.sell_shares = std::numeric_limits<int32_t>::max(), .sell_amount = 1});
  in.add("B", kD1, {.sell_shares = 1, .sell_amount = 1});
  const auto result =
      merge_summary(in.build(), mergers_of({{"A", "B", {}}}), AmountWidth::kFloat32);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kCorrupt);
  EXPECT_TRUE(result.error().message.starts_with(
      "symbol 2330, merged broker B, 2023-01-03: 2147483648 shares"))
      << result.error().message;
}

/// Row by row into a map, which cannot get the order or the sums wrong.
DailySummary merged_by_hand(const DailySummary& in, const BrokerMergers& mergers) {
  std::map<std::string, std::map<Day, test::TradedDay>> rows;
  for (size_t row = 0; row < in.row_count(); ++row) {
    const std::string code(mergers.successor(in.brokers[in.broker_index[row]], in.date[row]));
    test::TradedDay& traded = rows[code][in.date[row]];
    traded.buy_shares += in.buy_shares[row];
    traded.buy_amount += in.buy_amount[row];
    traded.sell_shares += in.sell_shares[row];
    traded.sell_amount += in.sell_amount[row];
  }
  SummaryBuilder out;
  for (const auto& [code, days] : rows) {
    for (const auto& [date, traded] : days) out.add(code, date, traded);
  }
  return out.build();
}

TEST(SummaryMerge, EqualsMergingRowByRow) {
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    std::mt19937 random(seed);
    const auto below = [&](int limit) { return static_cast<int>(random() % limit); };
    const auto code = [&] { return std::string(1, static_cast<char>('A' + below(8))); };
    const auto some_day = [&] { return Day{19000 + below(12)}; };
    std::vector<BrokerMerger> list;
    for (int i = below(6); i >= 0; --i) {
      // Codes only grow, so there is no cycle; a repeated day makes the map useless.
      const std::string old_code = code();
      const std::string new_code = code();
      if (old_code < new_code) list.push_back({old_code, new_code, some_day()});
    }
    const auto mergers = BrokerMergers::make(list, "map");
    if (!mergers) continue;
    SummaryBuilder in;
    for (int i = below(60); i >= 0; --i) {
      // Whole numbers, so that sums are exact in any order.
      in.add(code(), some_day(),
             {.buy_shares = below(100),
              .buy_amount = static_cast<double>(below(1000)),
              .sell_shares = below(100),
              .sell_amount = static_cast<double>(below(1000))});
    }
    const DailySummary summary = in.build();
    const auto result = value_of(merge_summary(summary, *mergers, AmountWidth::kFloat32));
    expect_same(result.value_or(summary), merged_by_hand(summary, *mergers));
  }
}

}  // namespace
}  // namespace tapeworks
