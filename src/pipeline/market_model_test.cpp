#include "pipeline/market_model.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "pipeline/market_day.h"
#include "pipeline/market_names.h"
#include "pipeline/price_ladder.h"

namespace tapeworks {
namespace {

uint64_t sum_of(const std::vector<CellSize>& cells) {
  uint64_t sum = 0;
  for (const CellSize& cell : cells) sum += cell.row_count;
  return sum;
}

TEST(PriceLadder, LevelsAndCentsAgreeAndTicksGrow) {
  for (uint32_t level = 0; level < kPriceLevelCount; ++level) {
    EXPECT_EQ(level_of_cents(cents_of_level(level)), level);
    EXPECT_LT(cents_of_level(level), cents_of_level(level + 1));
  }
  EXPECT_EQ(cents_of_level(level_of_cents(5019)), 5010U);
}

TEST(PriceLadder, PricesHaveTwoDecimalsAndThousandsSeparators) {
  EXPECT_EQ(text_of_level(level_of_cents(950)), "9.50");
  EXPECT_EQ(text_of_level(level_of_cents(99900)), "999.00");
  EXPECT_EQ(text_of_level(level_of_cents(100500)), "1,005.00");
  EXPECT_EQ(text_of_level(level_of_cents(7'000'00)), "7,000.00");
}

TEST(MarketNames, TheMostSymbolsAreDistinctAndSorted) {
  const auto codes = make_symbol_codes(kSymbolCountMax, 1);
  EXPECT_EQ(codes.size(), kSymbolCountMax);
  EXPECT_TRUE(std::ranges::is_sorted(codes));
  EXPECT_EQ(std::set(codes.begin(), codes.end()).size(), codes.size());
  EXPECT_TRUE(std::ranges::binary_search(codes, kBusiestSymbol));
}

TEST(MarketNames, MostSymbolsHaveFourDigits) {
  const auto codes = make_symbol_codes(500, 1);
  const auto four = std::ranges::count_if(codes, [](const auto& code) { return code.size() == 4; });
  EXPECT_GT(four, 400);
  EXPECT_LT(four, 500);
}

TEST(MarketNames, TheMostBrokersHaveDistinctCodesAndNames) {
  const auto brokers = make_brokers(kBrokerCountMax, 1);
  std::set<std::string> codes;
  std::set<std::string> names;
  size_t desks = 0;
  for (const BrokerName& broker : brokers) {
    EXPECT_EQ(broker.code.size(), 4U);
    EXPECT_EQ(broker.is_desk, broker.code.back() == 'T') << broker.code;
    desks += broker.is_desk ? 1 : 0;
    codes.insert(broker.code);
    names.insert(broker.name);
  }
  EXPECT_EQ(codes.size(), kBrokerCountMax);
  EXPECT_EQ(names.size(), kBrokerCountMax);
  EXPECT_EQ(desks, kBrokerCountMax / 50);
  EXPECT_TRUE(std::ranges::is_sorted(brokers, {}, &BrokerName::code));
}

TEST(MarketModel, TradesOnWorkingDaysOnly) {
  const MarketModel model({.day_count = 300});
  ASSERT_EQ(model.days().size(), 300U);
  EXPECT_EQ(to_string(model.days().front()), "2022-11-01");
  for (const Day day : model.days()) EXPECT_LT((day.days_since_epoch + 3) % 7, 5);
  EXPECT_EQ(std::ranges::adjacent_find(model.days(), std::greater_equal()), model.days().end());
}

TEST(MarketModel, DrawsBranchesByPopularity) {
  const MarketModel model({.symbol_count = 3, .broker_count = 100, .day_count = 1});
  std::vector<int> drawn(model.branches().size());
  for (uint64_t index = 0; index < 100'000; ++index) {
    ++drawn[model.draw_branch(model.symbols()[0], mix_bits(index))];
  }
  // The k-th most popular has the weight k^-0.62, which is 0.0905 of all for the first of 98; with
  // 35 % drawn by the symbol's own taste, 65 % of that is left.
  const auto top = std::ranges::max_element(drawn);
  EXPECT_NEAR(*top, 100'000 * 0.65 * 0.0905, 1000);
  EXPECT_GT(*std::ranges::min_element(drawn), 0);
}

TEST(MarketDay, PlansEveryRowAndNoMoreGroupsThanThereAreBranches) {
  for (const uint32_t brokers : {1U, 2U, 3U, 60U}) {
    for (const uint32_t symbols : {1U, 40U}) {
      const MarketModel model(
          {.symbol_count = symbols, .broker_count = brokers, .day_count = 4, .seed = brokers});
      for (const uint64_t rows : {0U, 1U, 2U, 7U, 100U, 12'345U, 1'000'000U}) {
        const auto cells = plan_day(model, 1, rows);
        EXPECT_EQ(sum_of(cells), rows);
        for (const CellSize& cell : cells) {
          EXPECT_LE(cell.group_count, cell.row_count);
          EXPECT_LE(cell.group_count, model.branches().size());
          EXPECT_EQ(cell.group_count == 0, cell.row_count == 0);
        }
      }
    }
  }
}

/// The rows of one cell by stripes, as comparable tuples.
using Row = std::tuple<uint32_t, uint32_t, int64_t, int64_t>;
std::vector<Row> rows_of(const SymbolDayTrades& trades, uint32_t stripe_count) {
  std::vector<Row> rows;
  for (uint32_t stripe = 0; stripe < stripe_count; ++stripe) {
    trades.emit(stripe, stripe_count, [&](const TradeRow& row) {
      rows.emplace_back(row.broker_index, row.price_level, row.buy_shares, row.sell_shares);
      return true;
    });
  }
  return rows;
}

TEST(MarketDay, RowsAreSortedAndBalanced) {
  const MarketModel model({.symbol_count = 20, .broker_count = 200, .day_count = 5});
  SymbolDayTrades trades(model);
  for (uint32_t symbol = 0; symbol < 20; ++symbol) {
    for (const CellSize size : {CellSize{1, 1}, CellSize{2, 1}, CellSize{101, 40},
                                CellSize{5000, 190}, CellSize{200'000, 150}}) {
      trades.plan(2, symbol, size);
      const std::vector<Row> rows = rows_of(trades, 1);
      EXPECT_EQ(rows.size(), size.row_count);
      EXPECT_TRUE(std::ranges::is_sorted(
          rows, {}, [](const Row& row) { return std::pair(std::get<0>(row), std::get<1>(row)); }));
      int64_t bought = 0;
      int64_t sold = 0;
      std::map<uint32_t, std::pair<int64_t, int64_t>> by_broker;
      for (const auto& [broker, level, buy, sell] : rows) {
        EXPECT_GT(buy + sell, 0);
        EXPECT_LT(level, kPriceLevelCount);
        by_broker[broker].first += buy;
        by_broker[broker].second += sell;
        if (level == 0) continue;
        bought += buy;
        sold += sell;
      }
      EXPECT_EQ(bought, sold);
      EXPECT_EQ(by_broker.size(), trades.group_count());
      for (const auto& [broker, shares] : by_broker) {
        EXPECT_LE(std::max(shares.first, shares.second), INT32_MAX) << broker;
      }
    }
  }
}

TEST(MarketDay, StripesTogetherAreAllRowsAndSplitTheGroups) {
  const MarketModel model({.symbol_count = 5, .broker_count = 50, .day_count = 5});
  SymbolDayTrades trades(model);
  trades.plan(3, 1, {.row_count = 3001, .group_count = 45});
  std::vector<Row> whole = rows_of(trades, 1);
  std::vector<Row> striped = rows_of(trades, 8);
  std::ranges::sort(whole);
  std::ranges::sort(striped);
  EXPECT_EQ(whole, striped);
}

TEST(MarketDay, ASinkThatRefusesStopsTheRows) {
  const MarketModel model({.symbol_count = 5, .broker_count = 50, .day_count = 5});
  SymbolDayTrades trades(model);
  trades.plan(3, 1, {.row_count = 100, .group_count = 30});
  int rows = 0;
  EXPECT_FALSE(trades.emit(0, 1, [&](const TradeRow&) { return ++rows < 10; }));
  EXPECT_EQ(rows, 10);
}

}  // namespace
}  // namespace tapeworks
