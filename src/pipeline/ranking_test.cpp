#include "pipeline/ranking.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <arrow/array/concatenate.h>
#include <arrow/table.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "base/thread_tasks.h"
#include "pipeline/pnl_tables.h"
#include "pipeline/pnl_test_support.h"

namespace tapeworks::test {
namespace {

arrow::MemoryPool* pool() { return arrow::default_memory_pool(); }

/// A symbol with one account per broker of `totals`; only total_pnl is set.
struct SymbolOf {
  DailySummary summary;
  SymbolPnl pnl;

  explicit SymbolOf(const std::map<std::optional<std::string>, double>& totals) {
    for (const auto& [broker, total] : totals) {
      if (!broker) summary.has_null_broker = true;
      const auto index = static_cast<uint32_t>(summary.brokers.size());
      summary.brokers.push_back(broker.value_or(""));
      pnl.accounts.push_back({.broker_index = index, .total_pnl = total});
    }
  }
};

std::shared_ptr<arrow::Table> all_rows(AccountCollector& collector) {
  EXPECT_TRUE(collector.order());
  return value_of(collector.rows(0, collector.row_count()));
}

std::shared_ptr<arrow::Table> collect(const std::vector<std::string>& symbols,
                                      const std::vector<SymbolOf>& parts, Mode mode) {
  AccountCollector collector(symbols, mode, pool());
  for (size_t i = 0; i < parts.size(); ++i) {
    EXPECT_TRUE(collector.put(i, parts[i].summary, parts[i].pnl));
  }
  return all_rows(collector);
}

TEST(SymbolBroker, IsSortedBytewiseByBrokerThenSymbolWithNullFirst) {
  const auto table = collect({"2330", "00632R", "2317"},
                             {SymbolOf({{"b", 1}, {"A", 2}}),
                              SymbolOf({{"b", 3}, {std::nullopt, 4}}), SymbolOf({{"A", 5}})},
                             Mode::kDefault);
  const Cells cells(table);
  std::vector<std::string> rows;
  for (int64_t row = 0; row < cells.rows(); ++row) {
    rows.push_back(fmt::format("{} {} {}", cells.text("broker", row).value_or("null"),
                               cells.text("symbol_id", row).value(),
                               cells.number("total_pnl", row)));
  }
  EXPECT_EQ(rows, (std::vector<std::string>{"null 00632R 4", "A 2317 5", "A 2330 2", "b 00632R 3",
                                            "b 2330 1"}));
}

TEST(SymbolBroker, HasTheMoneyColumnsOfTheModeBehindSymbolAndBroker) {
  for (const Mode mode : {Mode::kDefault, Mode::kCompatV1, Mode::kCompatV2}) {
    const auto table = collect({"2330"}, {SymbolOf({{"A", 1}})}, mode);
    std::vector<std::string> expected = {"symbol_id", "broker"};
    for (const MoneyColumn& money : money_columns(mode)) expected.push_back(money.name);
    EXPECT_EQ(table->ColumnNames(), expected);
  }
}

TEST(SymbolBroker, OfNoSymbolsIsAnEmptyTableAndSoIsItsRanking) {
  const auto table = collect({}, {}, Mode::kDefault);
  EXPECT_EQ(table->num_rows(), 0);
  EXPECT_EQ(value_of(broker_ranking_table(*table, Mode::kDefault, pool()))->num_rows(), 0);
}

TEST(SymbolBroker, DoesNotDependOnThreadsOrOrder) {
  constexpr size_t kSymbols = 60;
  std::vector<std::string> symbols;
  std::vector<SymbolOf> parts;
  for (size_t s = 0; s < kSymbols; ++s) {
    symbols.push_back(std::to_string(9000 - s * 7));
    std::map<std::optional<std::string>, double> totals;
    for (uint64_t b = 0; b < 40; ++b) {
      const uint64_t bits = random_bits(s, b);
      if (bits % 3 != 0) totals[std::to_string(1000 + b * 13)] = unit_interval(bits) - 0.5;
    }
    parts.emplace_back(totals);
  }
  const auto expected = collect(symbols, parts, Mode::kDefault);

  AccountCollector collector(symbols, Mode::kDefault, pool());
  ASSERT_TRUE(run_tasks(kSymbols, 4, [&](size_t index, size_t) {
    const size_t reversed = kSymbols - 1 - index;
    return collector.put(reversed, parts[reversed].summary, parts[reversed].pnl);
  }));
  const auto table = all_rows(collector);
  EXPECT_TRUE(table->Equals(*expected));
  const auto ranking = value_of(broker_ranking_table(*table, Mode::kDefault, pool()));
  EXPECT_TRUE(ranking->Equals(*value_of(broker_ranking_table(*expected, Mode::kDefault, pool()))));
  const auto collected = value_of(collector.ranking());
  ASSERT_EQ(collected->num_columns(), ranking->num_columns() + 2);
  EXPECT_TRUE(ranking->Equals(*collected->RemoveColumn(ranking->num_columns() + 1)
                                   .ValueOrDie()
                                   ->RemoveColumn(ranking->num_columns())
                                   .ValueOrDie()));
  std::vector<std::shared_ptr<arrow::Table>> parts_of_table;
  for (int64_t begin = 0; begin < collector.row_count(); begin += 100) {
    const int64_t end = std::min(begin + 100, collector.row_count());
    parts_of_table.push_back(value_of(collector.rows(begin, end)));
    EXPECT_EQ(parts_of_table.back()->schema(), collector.schema());
  }
  EXPECT_TRUE(table->Equals(*arrow::ConcatenateTables(parts_of_table).ValueOrDie()));
}

TEST(SymbolBroker, ReportsAPoolThatRefusesAsMemoryBudget) {
  arrow::CappedMemoryPool small(pool(), 1024);
  AccountCollector collector({"2330"}, Mode::kDefault, &small);
  std::map<std::optional<std::string>, double> totals;
  for (int b = 0; b < 1000; ++b) totals[std::to_string(b)] = 1;
  const SymbolOf part(totals);
  const Status status = collector.put(0, part.summary, part.pnl);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kMemoryBudget);
}

// ---- broker_ranking

TEST(BrokerRanking, HasTheReferencesColumnsAndInTheDefaultModeItsOwnBehindThem) {
  const std::vector<std::string> reference = {
      "rank",           "broker",           "total_pnl",         "realized_pnl",
      "unrealized_pnl", "total_buy_amount", "total_sell_amount", "total_amount",
      "timing_alpha"};
  const std::vector<SymbolOf> parts = {SymbolOf({{"A", 1}})};
  const auto names = [&](Mode mode) {
    const auto table = collect({"2330"}, parts, mode);
    return value_of(broker_ranking_table(*table, mode, pool()))->ColumnNames();
  };
  EXPECT_EQ(names(Mode::kCompatV1), reference);
  EXPECT_EQ(names(Mode::kCompatV2), reference);
  std::vector<std::string> with_ours = reference;
  with_ours.insert(with_ours.end(), {"timing_score", "unpriced_cost", "opening_unrealized_pnl",
                                     "open_long_cost", "open_short_cost"});
  EXPECT_EQ(names(Mode::kDefault), with_ours);
}

TEST(BrokerRanking, SumsOverSymbolsAndRanksTiesByBroker) {
  const auto table = collect({"1", "2"},
                             {SymbolOf({{"C", 1}, {"B", 5}, {std::nullopt, 5}}),
                              SymbolOf({{"C", 6}, {"B", -1}, {"A", 7}})},
                             Mode::kDefault);
  const Cells cells(value_of(broker_ranking_table(*table, Mode::kDefault, pool())));
  std::vector<std::string> rows;
  for (int64_t row = 0; row < cells.rows(); ++row) {
    rows.push_back(fmt::format("{} {} {}", cells.integer("rank", row),
                               cells.text("broker", row).value_or("null"),
                               cells.number("total_pnl", row)));
  }
  EXPECT_EQ(rows, (std::vector<std::string>{"1 A 7", "2 C 7", "3 null 5", "4 B 4"}));
}

TEST(BrokerRanking, OfTheDefaultModeTellsTheLastTradeAndHowManyPositionsAreOpen) {
  SymbolOf first({{"A", 3}, {"B", 2}});
  first.pnl.accounts[0].last_trade_date = day("2023-01-05");
  first.pnl.accounts[0].has_open_lots = true;
  SymbolOf second({{"A", 1}});
  second.pnl.accounts[0].last_trade_date = day("2023-01-09");
  second.pnl.accounts[0].has_open_lots = true;
  for (const Mode mode : {Mode::kDefault, Mode::kCompatV1}) {
    AccountCollector collector({"1", "2"}, mode, pool());
    ASSERT_TRUE(collector.put(0, first.summary, first.pnl));
    ASSERT_TRUE(collector.put(1, second.summary, second.pnl));
    ASSERT_TRUE(collector.order());
    const auto ranking = value_of(collector.ranking());
    if (is_compat(mode)) {
      EXPECT_EQ(ranking->GetColumnByName("last_trade_date"), nullptr);
      continue;
    }
    const auto last = ranking->GetColumnByName("last_trade_date")->chunk(0);
    const auto& dates = static_cast<const arrow::Date32Array&>(*last);
    EXPECT_EQ(Day{dates.Value(0)}, day("2023-01-09"));
    EXPECT_TRUE(dates.IsNull(1)) << "B has no trade up to the day of valuation";
    const Cells cells(ranking);
    EXPECT_EQ(cells.integer("open_positions", 0), 2);
    EXPECT_EQ(cells.integer("open_positions", 1), 0);
  }
}

TEST(BrokerRanking, TotalAmountIsBoughtPlusSold) {
  SymbolOf part({{"A", 0}});
  part.pnl.accounts[0].total_buy_amount = 3;
  part.pnl.accounts[0].total_sell_amount = 4;
  const auto table = collect({"1"}, {part}, Mode::kCompatV1);
  const Cells cells(value_of(broker_ranking_table(*table, Mode::kCompatV1, pool())));
  EXPECT_EQ(cells.number("total_buy_amount", 0), 3);
  EXPECT_EQ(cells.number("total_sell_amount", 0), 4);
  EXPECT_EQ(cells.number("total_amount", 0), 7);
}

TEST(BrokerRanking, SumsExactlyByDefaultAndFromLeftToRightInCompatModes) {
  const std::vector<std::string> symbols = {"3", "1", "2"};
  const std::vector<SymbolOf> parts = {SymbolOf({{"A", -1e17}}), SymbolOf({{"A", 1e17}}),
                                       SymbolOf({{"A", 1.0}})};
  const auto total = [&](Mode mode) {
    const auto table = collect(symbols, parts, mode);
    return Cells(value_of(broker_ranking_table(*table, mode, pool()))).number("total_pnl", 0);
  };
  EXPECT_EQ(total(Mode::kDefault), 1.0);
  EXPECT_EQ(total(Mode::kCompatV1), 0.0) << "1e17 + 1 - 1e17 in doubles";
}

TEST(BrokerRanking, CanBeMadeAgainFromATableInPieces) {
  const auto table = collect(
      {"1", "2"}, {SymbolOf({{"A", 1}, {"B", 2}}), SymbolOf({{"A", 3}, {"B", 4}})}, Mode::kDefault);
  const auto pieces = arrow::ConcatenateTables({table->Slice(0, 1), table->Slice(1)}).ValueOrDie();
  EXPECT_TRUE(value_of(broker_ranking_table(*pieces, Mode::kDefault, pool()))
                  ->Equals(*value_of(broker_ranking_table(*table, Mode::kDefault, pool()))));
}

TEST(BrokerRanking, RefusesATableThatIsNotSymbolBroker) {
  const auto table = collect({"1"}, {SymbolOf({{"A", 1}, {"B", 2}})}, Mode::kCompatV1);
  const auto error_of = [](const arrow::Table& broken, Mode mode) {
    const auto ranking = broker_ranking_table(broken, mode, pool());
    return ranking ? std::string("no error") : ranking.error().message;
  };
  EXPECT_NE(error_of(*table, Mode::kDefault).find("no column timing_score"), std::string::npos);
  const auto swapped = arrow::ConcatenateTables({table->Slice(1), table->Slice(0, 1)}).ValueOrDie();
  EXPECT_NE(error_of(*swapped, Mode::kCompatV1).find("row 1 is out of order"), std::string::npos);
  const auto renamed =
      table
          ->RenameColumns({"broker", "symbol_id", "timing_alpha", "total_pnl", "realized_pnl",
                           "unrealized_pnl", "total_buy_amount", "x"})
          .ValueOrDie();
  EXPECT_NE(error_of(*renamed, Mode::kCompatV1).find("total_sell_amount"), std::string::npos);
}

// ---- The goldens

struct GoldenState {
  const char* golden;
  Mode mode;
};

class GoldenRanking : public testing::TestWithParam<GoldenState> {};
INSTANTIATE_TEST_SUITE_P(
    All, GoldenRanking,
    testing::Values(GoldenState{"small", Mode::kCompatV1}, GoldenState{"small", Mode::kCompatV2},
                    GoldenState{"edge", Mode::kCompatV1}, GoldenState{"edge", Mode::kCompatV2}),
    [](const auto& test) {
      return std::string(test.param.golden) + "_" + std::string(to_string(test.param.mode));
    });

TEST_P(GoldenRanking, EqualsTheReferenceUpToTheOrderOfItsSums) {
  const auto [golden, mode] = GetParam();
  const auto summaries = golden_summaries(golden, mode == Mode::kCompatV2);
  auto prices = golden_closes(golden);
  std::vector<std::string> symbols;
  for (const auto& [symbol, summary] : summaries) symbols.push_back(symbol);
  AccountCollector collector(symbols, mode, pool());
  // The tolerance of data/golden/README.md: 1e-12 of the sum of |terms| over symbols.
  std::map<std::pair<std::string, std::string>, double> magnitude;
  for (size_t i = 0; i < symbols.size(); ++i) {
    const DailySummary& summary = summaries.at(symbols[i]);
    const SymbolPnl pnl = value_of(compute_symbol_pnl(summary, prices[symbols[i]], {.mode = mode}));
    for (const AccountPnl& account : pnl.accounts) {
      const std::string& broker = summary.brokers[account.broker_index];
      for (const MoneyColumn& money : money_columns(mode)) {
        magnitude[{broker, money.name}] += std::abs(account.*money.value);
      }
      magnitude[{broker, "total_amount"}] += account.total_buy_amount + account.total_sell_amount;
    }
    ASSERT_TRUE(collector.put(i, summary, pnl));
  }
  const auto symbol_broker = all_rows(collector);
  const Cells got(value_of(broker_ranking_table(*symbol_broker, mode, pool())));

  const char* const folder = mode == Mode::kCompatV1 ? "expected" : "expected_later";
  const Cells want(golden_dir(golden) / folder / "broker_ranking.parquet");
  ASSERT_EQ(got.table().ColumnNames(), want.table().ColumnNames());
  ASSERT_EQ(got.rows(), want.rows());
  std::map<std::string, int64_t> golden_row;
  for (int64_t row = 0; row < want.rows(); ++row) golden_row[*want.text("broker", row)] = row;
  for (int64_t row = 0; row < got.rows(); ++row) {
    const std::string broker = got.text("broker", row).value();
    SCOPED_TRACE(broker);
    ASSERT_TRUE(golden_row.contains(broker));
    const int64_t other = golden_row[broker];
    for (size_t column = 2; column < got.table().ColumnNames().size(); ++column) {
      const std::string name = got.table().ColumnNames()[column];
      EXPECT_NEAR(got.number(name.c_str(), row), want.number(name.c_str(), other),
                  1e-12 * (magnitude[{broker, name}]))
          << name;
    }
    // Ranks are equal except among brokers of the same total, whose order the reference leaves
    // open.
    const double total = got.number("total_pnl", row);
    EXPECT_NEAR(want.number("total_pnl", row), total, 1e-12 * (magnitude[{broker, "total_pnl"}]));
  }
}

}  // namespace
}  // namespace tapeworks::test
