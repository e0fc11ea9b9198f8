#include "pipeline/window_pnl.h"

#include <cmath>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "base/units.h"
#include "pipeline/daily_summary_file.h"
#include "pipeline/pnl_test_support.h"
#include "pipeline/query_rows.h"
#include "pipeline/query_test_support.h"

namespace tapeworks {
namespace {

using namespace test;

const std::filesystem::path kGolden = std::filesystem::path(TAPEWORKS_TEST_DATA) / "golden/small";

void add_summary(TestDirectory& directory, const DailySummary& summary) {
  const auto table =
      value_of(daily_summary_table(summary, AmountWidth::kFloat64, arrow::default_memory_pool()));
  directory.add("daily_summary", "daily_summary/" + summary.symbol + ".parquet", *table);
}

struct Close {
  std::string symbol;
  const char* date;
  double close;
};

void add_prices(TestDirectory& directory, const std::vector<Close>& closes) {
  Texts symbols;
  Days dates;
  Doubles values;
  for (const Close& close : closes) {
    symbols.emplace_back(close.symbol);
    dates.push_back(day(close.date));
    values.push_back(close.close);
  }
  directory.add("price", "price/close_prices.parquet",
                *make_table({{"symbol_id", symbols}, {"date", dates}, {"close_price", values}}), 2);
}

/// Two symbols, three brokers: A buys early and sells in the window, B holds, C traded before only.
void add_example(TestDirectory& directory) {
  add_summary(directory, SummaryBuilder("1101")
                             .add("A", day("2023-01-03"), {.buy_shares = 10, .buy_amount = 100})
                             .add("A", day("2023-01-05"), {.sell_shares = 4, .sell_amount = 60})
                             .add("B", day("2023-01-03"), {.buy_shares = 2, .buy_amount = 20})
                             .add("C", day("2023-01-03"), {.buy_shares = 1, .buy_amount = 10})
                             .add("C", day("2023-01-04"), {.sell_shares = 1, .sell_amount = 10})
                             .build());
  add_summary(directory, SummaryBuilder("2330")
                             .add("B", day("2023-01-06"), {.buy_shares = 1, .buy_amount = 7})
                             .build());
  add_prices(directory, {{"1101", "2023-01-03", 11},
                         {"1101", "2023-01-04", 12},
                         {"1101", "2023-01-05", 15},
                         {"1101", "2023-01-06", 14},
                         {"2330", "2023-01-06", 8}});
}

TEST(SymbolWindow, CountsWhatWasGainedInsideAgainstTheLevelBefore) {
  TestDirectory directory;
  add_example(directory);
  directory.publish();
  const auto table =
      symbol_window_answer(directory.context(), "1101", day("2023-01-05"), day("2023-01-06"));
  ASSERT_TRUE(table.has_value()) << error_of(table).message;
  // A: before 10 x (12 - 10) = 20; sold 4 x (15 - 10) = 20; after 6 x (14 - 10) = 24.
  // B: before 2 x (12 - 10) = 4; after 2 x (14 - 10) = 8. C is flat and is not listed.
  EXPECT_EQ(texts_of(**table, "broker"), (Names{"A", "B"}));
  EXPECT_EQ(doubles_of(**table, "realized_pnl"), (Doubles{20, 0}));
  EXPECT_EQ(doubles_of(**table, "unrealized_change"), (Doubles{4, 4}));
  EXPECT_EQ(doubles_of(**table, "total_pnl"), (Doubles{24, 4}));
  EXPECT_EQ(doubles_of(**table, "total_buy_amount"), (Doubles{0, 0}));
  EXPECT_EQ(doubles_of(**table, "total_sell_amount"), (Doubles{60, 0}));
  const auto& net =
      dynamic_cast<const arrow::Int64Array&>(*(*table)->GetColumnByName("net_shares")->chunk(0));
  EXPECT_EQ(net.Value(0), -4);
  EXPECT_EQ(net.Value(1), 0);
}

TEST(SymbolWindow, WithoutEndsIsTheWholeHistory) {
  TestDirectory directory;
  add_example(directory);
  directory.publish();
  const auto table =
      symbol_window_answer(directory.context(), "1101", std::nullopt, day("2023-01-06"));
  ASSERT_TRUE(table.has_value());
  EXPECT_EQ(texts_of(**table, "broker"), (Names{"A", "B", "C"}));
  EXPECT_EQ(doubles_of(**table, "total_pnl"), (Doubles{44, 8, 0}));
}

TEST(SymbolWindow, FindsNothingWhereNothingHappened) {
  TestDirectory directory;
  add_example(directory);
  directory.publish();
  const auto early =
      symbol_window_answer(directory.context(), "1101", day("2022-01-01"), day("2022-12-31"));
  EXPECT_EQ(error_of(early).kind, ErrorKind::kNotFound);
  const auto unknown =
      symbol_window_answer(directory.context(), "1102", day("2022-01-01"), std::nullopt);
  EXPECT_EQ(error_of(unknown).kind, ErrorKind::kNotFound);
  EXPECT_TRUE(contains(error_of(unknown).message, "1101")) << error_of(unknown).message;
}

TEST(SymbolWindow, NeedsPricesAndNamesTheCommand) {
  TestDirectory directory;
  add_summary(directory, SummaryBuilder("1101")
                             .add("A", day("2023-01-03"), {.buy_shares = 1, .buy_amount = 1})
                             .build());
  directory.publish();
  const auto table = symbol_window_answer(directory.context(), "1101", std::nullopt, std::nullopt);
  EXPECT_EQ(error_of(table).kind, ErrorKind::kNotFound);
  EXPECT_TRUE(contains(error_of(table).message, "tapeworks sync")) << error_of(table).message;
}

TEST(Rolling, SumsTheSymbolsOfABrokerAndRanksByTotal) {
  TestDirectory directory;
  add_example(directory);
  directory.publish();
  const auto budget = value_of(MemoryBudget::create(kGiB));
  const auto table =
      rolling_answer(directory.context(), {day("2023-01-05"), day("2023-01-06")}, *budget, 2);
  ASSERT_TRUE(table.has_value()) << error_of(table).message;
  EXPECT_EQ((*table)->ColumnNames(),
            (Names{"rank", "broker", "name", "total_pnl", "realized_pnl", "unrealized_change",
                   "total_buy_amount", "total_sell_amount"}));
  EXPECT_EQ(texts_of(**table, "broker"), (Names{"A", "B"}));
  // B: 4 of 1101 and 1 x (8 - 7) of 2330.
  EXPECT_EQ(doubles_of(**table, "total_pnl"), (Doubles{24, 5}));
}

TEST(Rolling, RefusesASymbolThatNoMemoryBudgetCanTake) {
  TestDirectory directory;
  add_example(directory);
  directory.publish();
  const auto budget = value_of(MemoryBudget::create(kGiB));
  Reservation everything;
  ASSERT_TRUE(budget->try_reserve(budget->available_bytes() - kMiB, everything));
  const auto table =
      rolling_answer(directory.context(), {day("2023-01-05"), day("2023-01-06")}, *budget, 2);
  EXPECT_EQ(error_of(table).kind, ErrorKind::kMemoryBudget);
  EXPECT_TRUE(contains(error_of(table).message, "--memory")) << error_of(table).message;
}

TEST(LastTradeDate, ComesFromTheManifestOrElseFromTheFiles) {
  TestDirectory without;
  add_example(without);
  without.publish();
  EXPECT_EQ(value_of(last_trade_date(without.context(), 2)), day("2023-01-06"));
  TestDirectory with;
  add_example(with);
  with.describe("daily_summary", {}, {{"first_day", 1}, {"last_day", 19000}}).publish();
  EXPECT_EQ(value_of(last_trade_date(with.context(), 2)), Day{19000});
}

DailySummary random_summary(std::mt19937& random, const std::string& symbol) {
  SummaryBuilder builder(symbol);
  for (const char* broker : {"A", "B", "C"}) {
    for (int i = 0; i < 60; ++i) {
      if (random() % 3 != 0) continue;
      const auto bought = static_cast<int32_t>(random() % 5);
      const auto sold = static_cast<int32_t>(random() % 5);
      builder.add(broker, Day{19358 + i},
                  {.buy_shares = bought,
                   .buy_amount = bought * (90.0 + static_cast<double>(random() % 20)),
                   .sell_shares = sold,
                   .sell_amount = sold * (90.0 + static_cast<double>(random() % 20))});
    }
  }
  return builder.build();
}

std::map<std::string, double> totals_of(const arrow::Table& table) {
  std::map<std::string, double> totals;
  const auto brokers = texts_of(table, "broker");
  const auto values = doubles_of(table, "total_pnl");
  for (size_t i = 0; i < brokers.size(); ++i) totals[brokers[i]] = values[i];
  return totals;
}

TEST(Rolling, NeighbouringWindowsAddUpToTheWholeOne) {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    TestDirectory directory;
    Texts symbols;
    Days dates;
    Doubles values;
    for (const char* symbol : {"1101", "1102", "2330"}) {
      add_summary(directory, random_summary(random, symbol));
      for (int i = 0; i < 60; ++i) {
        if (random() % 5 == 0) continue;
        symbols.emplace_back(symbol);
        dates.push_back(Day{19358 + i});
        values.push_back(90.0 + static_cast<double>(random() % 20));
      }
    }
    directory.add("price", "price/close_prices.parquet",
                  *make_table({{"symbol_id", symbols}, {"date", dates}, {"close_price", values}}));
    directory.publish();
    const auto budget = value_of(MemoryBudget::create(kGiB));
    const auto total = [&](int from, int to) {
      return totals_of(*value_of(rolling_answer(
          directory.context(), {Day{19358 + from}, Day{19358 + to}}, *budget, 1 + seed % 3)));
    };
    const int cut = 10 + static_cast<int>(random() % 40);
    auto first = total(5, cut);
    auto second = total(cut + 1, 59);
    for (const auto& [broker, whole] : total(5, 59)) {
      EXPECT_NEAR(first[broker] + second[broker], whole, 1e-9) << broker;
    }
  }
}

/// The reference's windows, as far as its rules are ours: one symbol has no close at all, which it
/// values at 0.
TEST(Rolling, EqualsTheGoldenWindows) {
  TestDirectory directory;
  for (const auto& entry :
       std::filesystem::directory_iterator(kGolden / "expected" / "daily_summary")) {
    const std::string symbol = entry.path().stem().string();
    if (symbol == "4610") continue;
    const auto rows = value_of(read_parquet_info(entry.path(), arrow::default_memory_pool()));
    directory.add_bytes("daily_summary", "daily_summary/" + symbol + ".parquet",
                        read_file(entry.path()), static_cast<uint64_t>(rows.row_count));
  }
  directory.add_bytes("price", "price/close_prices.parquet",
                      read_file(kGolden / "close_prices.parquet"), 1);
  directory.publish();

  const auto golden = value_of(
      plain_table(*value_of(read_parquet(kGolden / "expected_later/rolling_windows.parquet", {},
                                         arrow::default_memory_pool())),
                  "golden", arrow::default_memory_pool()));
  const auto windows = texts_of(*golden, "window");
  const auto symbols = texts_of(*golden, "symbol_id");
  const auto brokers = texts_of(*golden, "broker");
  const auto realized = doubles_of(*golden, "realized_in_window");
  const auto change = doubles_of(*golden, "unrealized_change");
  const auto budget = value_of(MemoryBudget::create(kGiB));
  for (const auto& [name, window] :
       {std::pair{"w1", DayWindow{day("2023-01-05"), day("2023-02-10")}},
        std::pair{"w2", DayWindow{day("2023-01-20"), day("2023-03-16")}}}) {
    std::map<std::string, double> expected;
    std::map<std::string, double> size;
    for (size_t row = 0; row < windows.size(); ++row) {
      if (windows[row] != name || symbols[row] == "4610") continue;
      expected[brokers[row]] += realized[row] + change[row];
      size[brokers[row]] += std::abs(realized[row]) + std::abs(change[row]);
    }
    const auto found =
        totals_of(*value_of(rolling_answer(directory.context(), window, *budget, 2)));
    ASSERT_EQ(found.size(), expected.size());
    for (const auto& [broker, total] : found) {
      EXPECT_NEAR(total, expected.at(broker), 1e-12 * size.at(broker)) << name << " " << broker;
    }
  }
}

}  // namespace
}  // namespace tapeworks
