#include "pipeline/price_quality.h"

#include <limits>

#include <arrow/memory_pool.h>
#include <arrow/table.h>
#include <gtest/gtest.h>

namespace tapeworks {
namespace {

constexpr double kNull = std::numeric_limits<double>::quiet_NaN();

/// A series whose closes begin on day `first` and follow day by day; 0 days are left out by kSkip.
constexpr double kSkip = -1e300;
PriceSeries series(int32_t first, const std::vector<double>& closes) {
  PriceSeries result;
  for (size_t i = 0; i < closes.size(); ++i) {
    if (closes[i] == kSkip) continue;
    result.date.push_back(Day{first + static_cast<int32_t>(i)});
    result.close.push_back(closes[i]);
  }
  return result;
}

std::vector<PriceFinding> flaws_of(const ClosePrices& prices) {
  std::vector<PriceFinding> findings;
  visit_close_flaws(prices, [&](const PriceFinding& finding) { findings.push_back(finding); });
  return findings;
}

TEST(PriceQuality, GoodClosesHaveNoFlaw) {
  const ClosePrices prices({{"1101", series(10, {10, 11, 12})}, {"2330", series(11, {500, 501})}});
  EXPECT_TRUE(flaws_of(prices).empty());
  EXPECT_EQ(trading_calendar(prices), (std::vector<Day>{{10}, {11}, {12}}));
}

TEST(PriceQuality, AGapIsTradingDaysWithoutACloseBetweenTwoWithOne) {
  const ClosePrices prices({{"1101", series(10, {10, 10, 10, 10, kSkip, 10})},
                            {"1102", series(10, {10, 10, 10, 10, kSkip, 10})},
                            {"2330", series(10, {500, kSkip, kNull, 501, kSkip, 502})}});
  const auto findings = flaws_of(prices);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].symbol, "2330");
  EXPECT_EQ(findings[0].flaw, PriceFlaw::kGap);
  EXPECT_EQ(findings[0].first_day, Day{11});
  EXPECT_EQ(findings[0].last_day, Day{12});
  EXPECT_EQ(findings[0].day_count, 2U);
  EXPECT_EQ(findings[0].close_before, 500);
  EXPECT_EQ(findings[0].close_after, 501);
  EXPECT_EQ(close_flaw_counts(prices).at("gap_days"), 2U);
}

TEST(PriceQuality, ADayOfFewSymbolsIsNoTradingDay) {
  const ClosePrices prices({{"1", series(10, {10, kSkip, 10})},
                            {"2", series(10, {10, kSkip, 10})},
                            {"3", series(10, {10, 10, 10})}});
  EXPECT_TRUE(flaws_of(prices).empty());
  EXPECT_EQ(trading_calendar(prices), (std::vector<Day>{{10}, {12}}));
}

TEST(PriceQuality, SymbolsThatCameLaterOrLeftDoNotCountForTheCalendar) {
  const ClosePrices prices(
      {{"1", series(10, {10, 10})}, {"2", series(10, {10, 10})}, {"3", series(12, {10, 10})}});
  EXPECT_EQ(trading_calendar(prices).size(), 4U);
  EXPECT_TRUE(flaws_of(prices).empty());
}

TEST(PriceQuality, JumpsNearASplitAreFoundAndOthersNot) {
  const std::vector<std::pair<double, std::string_view>> cases{
      {0.5, "1/2"}, {0.524, "1/2"}, {0.476, "1/2"}, {0.53, ""}, {1 / 3.0, "1/3"}, {0.25, "1/4"},
      {0.2, "1/5"}, {0.1, "1/10"},  {2.09, "2"},    {2.2, ""},  {3, "3"},         {4, "4"},
      {5.2, "5"},   {9.6, "10"},    {0.9, ""},      {1.1, ""},  {0.7, ""},        {100, ""}};
  for (const auto& [ratio, text] : cases) {
    const ClosePrices prices({{"1", series(10, {100, 100 * ratio})}});
    const auto findings = flaws_of(prices);
    if (text.empty()) {
      EXPECT_TRUE(findings.empty()) << ratio;
      continue;
    }
    ASSERT_EQ(findings.size(), 1U) << ratio;
    EXPECT_EQ(findings[0].flaw, PriceFlaw::kSplit);
    EXPECT_EQ(findings[0].ratio, text);
    EXPECT_EQ(findings[0].first_day, Day{10});
    EXPECT_EQ(findings[0].last_day, Day{11});
    EXPECT_EQ(close_flaw_counts(prices).at("jumps_like_split"), 1U);
  }
}

TEST(PriceQuality, ZeroAndNegativeClosesAreNamedAndNoSplit) {
  const ClosePrices prices({{"1", series(10, {100, 0, 50, -5, 100})}});
  const auto findings = flaws_of(prices);
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[0].flaw, PriceFlaw::kZero);
  EXPECT_EQ(findings[0].first_day, Day{11});
  EXPECT_EQ(findings[1].flaw, PriceFlaw::kNegative);
  EXPECT_EQ(findings[1].close_after, -5);
  EXPECT_EQ(close_flaw_counts(prices).at("closes_negative"), 1U);
}

TEST(PriceQuality, SymbolsOnOneSideOnlyAreNamed) {
  const ClosePrices prices({{"1101", series(10, {10})},
                            {"1102", series(10, {kNull})},
                            {"1103", series(10, {10})},
                            {"1104", series(10, {kNull})}});
  std::vector<std::pair<std::string, PriceFlaw>> found;
  visit_coverage_flaws(prices, {"1101", "1102", "9999"}, [&](const PriceFinding& finding) {
    found.emplace_back(finding.symbol, finding.flaw);
  });
  const std::vector<std::pair<std::string, PriceFlaw>> expected{
      {"1102", PriceFlaw::kNoClose}, {"9999", PriceFlaw::kNoClose}, {"1103", PriceFlaw::kNoTrades}};
  EXPECT_EQ(found, expected);
}

TEST(PriceQuality, TheTableHasItsColumnsAlsoWhenEmpty) {
  const auto table = price_findings_table({}, arrow::default_memory_pool());
  ASSERT_TRUE(table);
  EXPECT_EQ((*table)->num_columns(), 8);
  EXPECT_EQ((*table)->num_rows(), 0);
}

}  // namespace
}  // namespace tapeworks
