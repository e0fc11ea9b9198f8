#include "pipeline/price_increment.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace tapeworks {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

PriceSeries series(std::initializer_list<std::pair<int32_t, double>> days) {
  PriceSeries result;
  for (const auto& [day, close] : days) {
    result.date.push_back(Day{day});
    result.close.push_back(close);
  }
  return result;
}

using Days = std::vector<std::pair<int32_t, double>>;

/// With -1 for no close, so that series can be compared.
Days days_of(const ClosePrices& prices, const char* symbol) {
  Days days;
  const PriceSeries& found = prices.of(symbol);
  for (size_t i = 0; i < found.date.size(); ++i) {
    days.emplace_back(found.date[i].days_since_epoch,
                      std::isnan(found.close[i]) ? -1 : found.close[i]);
  }
  return days;
}

ClosePrices known() {
  return ClosePrices({{"2330", series({{1, 10}, {2, 11}, {3, kNone}, {4, 13}})},
                      {"2317", series({{1, 20}, {2, 21}})}});
}

TEST(PriceIncrement, ReplacesWhatWasAskedForAndKeepsWhatWasNot) {
  const ClosePrices fetched({{"2330", series({{3, 12}, {4, 14}, {5, 15}})}});
  const MergedPrices merged = merge_prices(known(), fetched, {Day{3}, false});
  EXPECT_EQ(days_of(merged.prices, "2330"), (Days{{1, 10}, {2, 11}, {3, 12}, {4, 14}, {5, 15}}));
  EXPECT_EQ(days_of(merged.prices, "2317"), (Days{{1, 20}, {2, 21}}));
  ASSERT_EQ(merged.changes.corrections.size(), 2);
  EXPECT_EQ(merged.changes.corrections[0].date, Day{3});
  EXPECT_TRUE(std::isnan(merged.changes.corrections[0].before));
  EXPECT_EQ(merged.changes.corrections[0].after, 12);
  EXPECT_EQ(merged.changes.corrections[1].before, 13);
  EXPECT_EQ(merged.changes.added, 1);
  EXPECT_EQ(merged.changes.vanished, 0);
}

TEST(PriceIncrement, TakesOutWhatTheSourceHasNoMoreUnlessItIsToBeKept) {
  const ClosePrices fetched({{"2330", series({{2, 11}, {4, 13}})}});
  const MergedPrices dropped = merge_prices(known(), fetched, {Day{2}, false});
  EXPECT_EQ(days_of(dropped.prices, "2330"), (Days{{1, 10}, {2, 11}, {4, 13}}));
  EXPECT_EQ(days_of(dropped.prices, "2317"), (Days{{1, 20}}));
  EXPECT_EQ(dropped.changes.vanished, 2);
  EXPECT_FALSE(dropped.changes.is_nothing());

  const MergedPrices kept = merge_prices(known(), fetched, {Day{2}, true});
  EXPECT_EQ(days_of(kept.prices, "2330"), (Days{{1, 10}, {2, 11}, {3, -1}, {4, 13}}));
  EXPECT_EQ(days_of(kept.prices, "2317"), (Days{{1, 20}, {2, 21}}));
  EXPECT_EQ(kept.changes.kept, 2);
  EXPECT_TRUE(kept.changes.is_nothing());
}

TEST(PriceIncrement, DropsASymbolWithoutDays) {
  const ClosePrices fetched({{"2330", known().of("2330")}});
  const MergedPrices merged = merge_prices(known(), fetched, {});
  EXPECT_EQ(merged.prices.by_symbol().size(), 1);
  EXPECT_EQ(merged.changes.vanished, 2);
}

TEST(PriceIncrement, FindsNothingInWhatIsKnown) {
  EXPECT_TRUE(merge_prices(known(), known(), {}).changes.is_nothing());
  EXPECT_TRUE(merge_prices(known(), known(), {Day{2}, false}).changes.is_nothing());
}

TEST(PriceIncrement, TakesANewSymbolWhole) {
  const ClosePrices fetched({{"1101", series({{1, 5}, {4, 6}})}});
  const MergedPrices merged = merge_prices(known(), fetched, {Day{4}, true});
  EXPECT_EQ(days_of(merged.prices, "1101"), (Days{{1, 5}, {4, 6}}));
  EXPECT_EQ(merged.changes.added, 2);
}

}  // namespace
}  // namespace tapeworks
