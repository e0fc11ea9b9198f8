#include "pipeline/pnl_tables.h"

#include <limits>
#include <map>
#include <string>
#include <vector>

#include <arrow/type.h>
#include <gtest/gtest.h>

#include "pipeline/pnl_test_support.h"

namespace tapeworks::test {
namespace {

arrow::MemoryPool* pool() { return arrow::default_memory_pool(); }

/// "name:type" of each column, in order, as the file has it.
std::vector<std::string> columns_of(const arrow::Table& table) {
  std::vector<std::string> columns;
  for (const auto& field : table.schema()->fields()) {
    // Texts are dictionaries in memory and plain in the files.
    const bool coded = field->type()->id() == arrow::Type::DICTIONARY;
    const auto type = coded ? static_cast<const arrow::DictionaryType&>(*field->type()).value_type()
                            : field->type();
    columns.push_back(field->name() + ":" + type->ToString());
  }
  return columns;
}

/// Brokers "" (null), "A", "B" and "C", each with the given total.
struct FourAccounts {
  DailySummary summary;
  SymbolPnl pnl;

  explicit FourAccounts(std::vector<double> totals) {
    summary.symbol = "2330";
    summary.brokers = {"", "A", "B", "C"};
    summary.has_null_broker = true;
    for (uint32_t i = 0; i < totals.size(); ++i) {
      pnl.accounts.push_back({.broker_index = i, .total_pnl = totals[i]});
    }
  }

  std::vector<std::string> ranked(Mode mode) const {
    const Cells cells(value_of(pnl_table(summary, pnl, mode, pool())));
    std::vector<std::string> order;
    for (int64_t row = 0; row < cells.rows(); ++row) {
      EXPECT_EQ(cells.integer("rank", row), row + 1);
      order.push_back(cells.text("broker", row).value_or("null"));
    }
    return order;
  }
};

TEST(PnlTable, OfCompatModesHasExactlyTheReferencesColumns) {
  const FourAccounts four({1, 2, 3, 4});
  const std::vector<std::string> expected = {"rank:uint32",
                                             "broker:string",
                                             "total_pnl:double",
                                             "realized_pnl:double",
                                             "unrealized_pnl:double",
                                             "total_buy_amount:double",
                                             "total_sell_amount:double",
                                             "timing_alpha:double"};
  for (const Mode mode : {Mode::kCompatV1, Mode::kCompatV2}) {
    EXPECT_EQ(columns_of(*value_of(pnl_table(four.summary, four.pnl, mode, pool()))), expected);
  }
}

TEST(PnlTable, OfTheDefaultModeAppendsItsOwnColumns) {
  const FourAccounts four({1, 2, 3, 4});
  const auto columns =
      columns_of(*value_of(pnl_table(four.summary, four.pnl, Mode::kDefault, pool())));
  const std::vector<std::string> appended(columns.begin() + 8, columns.end());
  EXPECT_EQ(appended,
            (std::vector<std::string>{"timing_score:double", "unpriced_cost:double",
                                      "opening_unrealized_pnl:double", "open_long_cost:double",
                                      "open_short_cost:double"}));
}

TEST(PnlTable, PutsEachNumberUnderItsName) {
  FourAccounts four({0, 0, 0, 0});
  four.pnl.accounts = {{.broker_index = 2,
                        .realized_pnl = 1,
                        .unrealized_pnl = 2,
                        .total_pnl = 3,
                        .total_buy_amount = 4,
                        .total_sell_amount = 5,
                        .timing_alpha = 6,
                        .timing_score = 7,
                        .unpriced_cost = 8,
                        .opening_unrealized_pnl = 9,
                        .open_long_cost = 10,
                        .open_short_cost = 11}};
  const Cells cells(value_of(pnl_table(four.summary, four.pnl, Mode::kDefault, pool())));
  EXPECT_EQ(cells.text("broker", 0), "B");
  const std::vector<const char*> names = {
      "realized_pnl",           "unrealized_pnl", "total_pnl",      "total_buy_amount",
      "total_sell_amount",      "timing_alpha",   "timing_score",   "unpriced_cost",
      "opening_unrealized_pnl", "open_long_cost", "open_short_cost"};
  for (size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(cells.number(names[i], 0), static_cast<double>(i + 1)) << names[i];
  }
}

TEST(PnlTable, IsOrderedByTotalDescendingAndTiesByBrokerWithNullFirst) {
  const FourAccounts four({2, 5, 2, 2});
  const std::vector<std::string> expected = {"A", "null", "B", "C"};
  EXPECT_EQ(four.ranked(Mode::kDefault), expected);
  EXPECT_EQ(four.ranked(Mode::kCompatV2), expected);
}

TEST(PnlTable, HasNanLastByDefaultAndFirstInCompatModes) {
  const double infinity = std::numeric_limits<double>::infinity();
  const FourAccounts four({1, kNull, infinity, kNull});
  EXPECT_EQ(four.ranked(Mode::kDefault), (std::vector<std::string>{"B", "null", "A", "C"}));
  EXPECT_EQ(four.ranked(Mode::kCompatV1), (std::vector<std::string>{"A", "C", "B", "null"}));
}

class GoldenPnlTable : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(All, GoldenPnlTable, testing::Values("small", "edge"),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(GoldenPnlTable, RanksOfV2EqualTheLaterStateExceptAmongTies) {
  const Cells golden(golden_dir(GetParam()) / "expected_later/pnl.parquet");
  std::map<std::pair<std::string, int64_t>, int64_t> golden_row;
  for (int64_t row = 0; row < golden.rows(); ++row) {
    golden_row[{golden.text("symbol_id", row).value(), golden.integer("rank", row)}] = row;
  }
  auto prices = golden_closes(GetParam());
  int64_t rows = 0;
  for (const auto& [symbol, summary] : golden_summaries(GetParam(), /*later=*/true)) {
    const SymbolPnl pnl =
        value_of(compute_symbol_pnl(summary, prices[symbol], {.mode = Mode::kCompatV2}));
    const Cells cells(value_of(pnl_table(summary, pnl, Mode::kCompatV2, pool())));
    rows += cells.rows();
    for (int64_t row = 0; row < cells.rows(); ++row) {
      SCOPED_TRACE(symbol + " rank " + std::to_string(row + 1));
      const auto found = golden_row.find({symbol, cells.integer("rank", row)});
      ASSERT_NE(found, golden_row.end());
      const double total = cells.number("total_pnl", row);
      EXPECT_PRED2(same_bits, golden.number("total_pnl", found->second), total);
      const bool tied = (row > 0 && cells.number("total_pnl", row - 1) == total) ||
                        (row + 1 < cells.rows() && cells.number("total_pnl", row + 1) == total);
      if (tied) continue;
      EXPECT_EQ(golden.text("broker", found->second), cells.text("broker", row));
    }
  }
  EXPECT_EQ(rows, golden.rows());
}

TEST(FifoStateTable, KeepsLotsInOrderWithTheirSide) {
  FourAccounts four({});
  four.pnl.lots = {{0, true, 100, 10.5, day("2023-01-03")}, {3, false, 7, 1.25, day("2023-01-04")}};
  const auto table = value_of(fifo_state_table(four.summary, four.pnl, pool()));
  EXPECT_EQ(columns_of(*table),
            (std::vector<std::string>{"broker:string", "side:string", "shares:int64",
                                      "cost_per_share:double", "open_date:date32[day]"}));
  const Cells cells(table);
  ASSERT_EQ(cells.rows(), 2);
  EXPECT_EQ(cells.text("broker", 0), std::nullopt);
  EXPECT_EQ(cells.text("side", 0), "long");
  EXPECT_EQ(cells.integer("shares", 0), 100);
  EXPECT_EQ(cells.number("cost_per_share", 0), 10.5);
  EXPECT_EQ(cells.text("broker", 1), "C");
  EXPECT_EQ(cells.text("side", 1), "short");
  EXPECT_EQ(cells.date("open_date", 1), day("2023-01-04"));
}

TEST(PnlDailyTable, KeepsRowsInOrder) {
  FourAccounts four({});
  four.pnl.daily = {{1, day("2023-01-03"), 5, -6}, {1, day("2023-01-04"), 0, 7}};
  const auto table = value_of(pnl_daily_table(four.summary, four.pnl, pool()));
  EXPECT_EQ(columns_of(*table),
            (std::vector<std::string>{"broker:string", "date:date32[day]", "realized_pnl:double",
                                      "unrealized_pnl:double"}));
  const Cells cells(table);
  ASSERT_EQ(cells.rows(), 2);
  EXPECT_EQ(cells.text("broker", 1), "A");
  EXPECT_EQ(cells.number("realized_pnl", 0), 5);
  EXPECT_EQ(cells.number("unrealized_pnl", 1), 7);
}

TEST(Tables, WithoutRowsHaveAllTheirColumns) {
  const FourAccounts four({});
  const SymbolPnl nothing;
  const auto lots = value_of(fifo_state_table(four.summary, nothing, pool()));
  EXPECT_EQ(lots->num_rows(), 0);
  EXPECT_EQ(lots->num_columns(), 5);
  const auto daily = value_of(pnl_daily_table(four.summary, nothing, pool()));
  EXPECT_EQ(daily->num_rows(), 0);
  EXPECT_EQ(daily->num_columns(), 4);
}

}  // namespace
}  // namespace tapeworks::test
