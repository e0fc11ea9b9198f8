#include "pipeline/window_pnl.h"

#include <cmath>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "base/units.h"
#include "pipeline/daily_summary_file.h"
#include "pipeline/pnl_tables.h"
#include "pipeline/pnl_test_support.h"
#include "pipeline/query_rows.h"
#include "pipeline/query_test_support.h"
#include "pipeline/symbol_pnl.h"

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

/// The ledger of a symbol up to `as_of`.
void add_ledger(TestDirectory& directory, const DailySummary& summary, Day as_of) {
  const PnlOptions options{.as_of = as_of, .ledger = true};
  const SymbolPnl pnl = value_of(compute_symbol_pnl(summary, PriceSeries{}, options));
  const auto table = value_of(position_ledger_table(summary, pnl, arrow::default_memory_pool()));
  directory.add("position_ledger", "position_ledger/" + summary.symbol + ".parquet", *table, 40);
}

void describe_ledger(TestDirectory& directory, Day as_of) {
  const std::map<std::string, std::string> made_from{
      {"daily_summary", directory.manifest().find("daily_summary")->fingerprint()}};
  directory.describe("position_ledger", made_from, {}, {{"as_of", to_string(as_of)}});
}

/// Every window is the same by FIFO and from the ledger; the summary beside the ledger is another
/// one, so that an answer from it would be seen.
TEST(Ledger, GivesTheWindowsOfFifo) {
  for (uint32_t seed = 1; seed <= 15; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    TestDirectory by_fifo;
    TestDirectory by_ledger;
    const Day as_of{19358 + 59};
    std::vector<Close> closes;
    std::vector<std::string> dates(60);
    for (int i = 0; i < 60; ++i) dates[static_cast<size_t>(i)] = to_string(Day{19358 + i});
    for (const char* symbol : {"1101", "2330"}) {
      const DailySummary summary = random_summary(random, symbol);
      add_summary(by_fifo, summary);
      add_ledger(by_ledger, summary, as_of);
      add_summary(
          by_ledger,
          SummaryBuilder(symbol).add("A", Day{19358}, {.buy_shares = 9, .buy_amount = 1}).build());
      for (const std::string& date : dates) {
        // The first days have no close, and some later ones neither.
        if (date < dates[6] || random() % 4 == 0) continue;
        closes.push_back({symbol, date.c_str(), 90.0 + static_cast<double>(random() % 20)});
      }
    }
    add_prices(by_fifo, closes);
    add_prices(by_ledger, closes);
    by_fifo.publish();
    describe_ledger(by_ledger, as_of);
    by_ledger.publish();
    const auto budget = value_of(MemoryBudget::create(kGiB));
    for (int i = 0; i < 8; ++i) {
      const int from = static_cast<int>(random() % 70) - 5;
      const int to = from + static_cast<int>(random() % 20);
      const DayWindow window{Day{19358 + from}, Day{19358 + std::min(to, 59)}};
      if (window.to < window.from) continue;
      SCOPED_TRACE(to_string(window.from) + " to " + to_string(window.to));
      const auto expected = rolling_answer(by_fifo.context(), window, *budget, 2);
      const auto found = rolling_answer(by_ledger.context(), window, *budget, 2);
      ASSERT_EQ(found.has_value(), expected.has_value());
      if (!expected) continue;
      ASSERT_EQ((*found)->num_rows(), (*expected)->num_rows());
      for (const char* column : {"realized_pnl", "unrealized_change", "total_buy_amount"}) {
        std::map<std::string, double> values;
        const auto brokers = texts_of(**expected, "broker");
        const auto of_fifo = doubles_of(**expected, column);
        for (size_t row = 0; row < brokers.size(); ++row) values[brokers[row]] = of_fifo[row];
        const auto found_brokers = texts_of(**found, "broker");
        const auto of_ledger = doubles_of(**found, column);
        for (size_t row = 0; row < found_brokers.size(); ++row) {
          ASSERT_TRUE(values.contains(found_brokers[row]));
          EXPECT_NEAR(of_ledger[row], values[found_brokers[row]], 1e-8) << column;
        }
      }
      const auto one = symbol_window_answer(by_fifo.context(), "2330", window.from, window.to);
      const auto other = symbol_window_answer(by_ledger.context(), "2330", window.from, window.to);
      ASSERT_EQ(one.has_value(), other.has_value());
      if (one) {
        EXPECT_EQ(totals_of(**one).size(), totals_of(**other).size());
      }
    }
  }
}

TEST(Ledger, IsNotAskedForDaysThatItDoesNotReach) {
  TestDirectory directory;
  const auto summary = SummaryBuilder("1101")
                           .add("A", day("2023-01-03"), {.buy_shares = 10, .buy_amount = 100})
                           .add("A", day("2023-01-05"), {.sell_shares = 10, .sell_amount = 160})
                           .build();
  add_summary(directory, summary);
  add_prices(directory, {{"1101", "2023-01-03", 11}});
  add_ledger(directory, summary, day("2023-01-04"));
  describe_ledger(directory, day("2023-01-04"));
  directory.publish();
  const auto realized = [&](const char* to) {
    return doubles_of(
        *value_of(symbol_window_answer(directory.context(), "1101", std::nullopt, day(to))),
        "realized_pnl");
  };
  EXPECT_EQ(realized("2023-01-05"), (Doubles{60})) << "by FIFO";
  EXPECT_EQ(realized("2023-01-04"), (Doubles{0}));
}

TEST(Ledger, IsNotAskedWhenItIsOlderThanTheSummary) {
  TestDirectory directory;
  const auto summary = SummaryBuilder("1101")
                           .add("A", day("2023-01-03"), {.buy_shares = 10, .buy_amount = 100})
                           .build();
  add_ledger(directory, summary, day("2023-01-05"));
  add_summary(directory, SummaryBuilder("1101")
                             .add("A", day("2023-01-03"), {.buy_shares = 4, .buy_amount = 40})
                             .build());
  add_prices(directory, {{"1101", "2023-01-03", 11}});
  directory.describe("position_ledger", {{"daily_summary", "0000000000000000"}}, {},
                     {{"as_of", "2023-01-05"}});
  directory.publish();
  const auto table = value_of(
      symbol_window_answer(directory.context(true), "1101", std::nullopt, day("2023-01-05")));
  EXPECT_EQ(doubles_of(*table, "total_buy_amount"), (Doubles{40}));
}

/// The reference's windows, as far as its rules are ours: one symbol has no close at all, which it
/// values at 0.
class GoldenWindows : public testing::TestWithParam<bool> {};

TEST_P(GoldenWindows, AreEqual) {
  const bool with_ledger = GetParam();
  const Day as_of = day("2030-01-01");
  TestDirectory directory;
  for (const auto& entry :
       std::filesystem::directory_iterator(kGolden / "expected" / "daily_summary")) {
    const std::string symbol = entry.path().stem().string();
    if (symbol == "4610") continue;
    const auto rows = value_of(read_parquet_info(entry.path(), arrow::default_memory_pool()));
    directory.add_bytes("daily_summary", "daily_summary/" + symbol + ".parquet",
                        read_file(entry.path()), static_cast<uint64_t>(rows.row_count));
    if (with_ledger) {
      add_ledger(directory,
                 value_of(read_daily_summary(entry.path(), arrow::default_memory_pool())), as_of);
    }
  }
  directory.add_bytes("price", "price/close_prices.parquet",
                      read_file(kGolden / "close_prices.parquet"), 1);
  if (with_ledger) describe_ledger(directory, as_of);
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

INSTANTIATE_TEST_SUITE_P(ByFifoAndFromTheLedger, GoldenWindows, testing::Bool());

}  // namespace
}  // namespace tapeworks
