#include <array>
#include <fstream>
#include <map>
#include <string>
#include <tuple>

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "pipeline/pnl_test_support.h"
#include "pipeline/symbol_pnl.h"

namespace tapeworks::test {
namespace {

using nlohmann::json;

// ---- The worked examples of pipeline-spec.md section 13

const json& worked_examples() {
  static const json kAll = json::parse(std::ifstream(golden_dir("edge") / "fifo_examples.json"));
  return kAll;
}

Day example_day(const std::string& number) {
  return parse_day(worked_examples()["days"][number].get<std::string>()).value();
}

DailySummary example_summary(const json& example) {
  SummaryBuilder builder;
  const auto amount = [](int32_t shares, double average) {
    return static_cast<double>(static_cast<float>(shares * average));
  };
  for (const json& trade : example["trades"]) {
    const int32_t bought = trade[2];
    const int32_t sold = trade[4];
    builder.add(trade[0].get<std::string>(), example_day(std::to_string(trade[1].get<int>())),
                {.buy_shares = bought,
                 .buy_amount = amount(bought, trade[3]),
                 .sell_shares = sold,
                 .sell_amount = amount(sold, trade[5])});
  }
  return builder.build();
}

PriceSeries example_closes(const json& example) {
  PriceSeries series;
  for (const auto& [number, close] : example["prices"].items()) {
    series.date.push_back(example_day(number));
    series.close.push_back(
        close.is_null() ? kNull : static_cast<double>(static_cast<float>(close.get<double>())));
  }
  return series;
}

struct ExampleCase {
  size_t index;
  Mode mode;
};

class WorkedExample : public testing::TestWithParam<ExampleCase> {};

TEST_P(WorkedExample, IsReproducedBitForBit) {
  const auto [index, mode] = GetParam();
  const json& example = worked_examples()["examples"][index];
  SCOPED_TRACE(example["note"].get<std::string>());
  const DailySummary summary = example_summary(example);
  const auto pnl = compute_symbol_pnl(summary, example_closes(example), {.mode = mode});
  const json& expected = example[mode == Mode::kCompatV1 ? "expect" : "expect_later"];
  if (expected.contains("error")) {
    if (mode == Mode::kCompatV1) {
      ASSERT_FALSE(pnl);
      EXPECT_EQ(pnl.error().kind, ErrorKind::kCorrupt);
      EXPECT_NE(pnl.error().message.find("symbol 2330: the close of 2023-01-03"), std::string::npos)
          << pnl.error().message;
      return;
    }
    // The example was run on the account function alone; the later state drops null closes when it
    // reads them (spec section 5), so it never gets that far.
    ASSERT_TRUE(pnl);
    EXPECT_EQ(pnl->accounts[0].total_pnl, 100);
    EXPECT_EQ(pnl->accounts[0].timing_alpha, 0);
    return;
  }
  ASSERT_TRUE(pnl) << pnl.error().message;
  ASSERT_EQ(pnl->accounts.size(), expected.size());
  for (const AccountPnl& account : pnl->accounts) {
    const std::string& broker = summary.brokers[account.broker_index];
    const json& want = expected[broker];
    EXPECT_PRED2(same_bits, account.total_pnl, want["total_pnl"].get<double>()) << broker;
    EXPECT_PRED2(same_bits, account.realized_pnl, want["realized"].get<double>()) << broker;
    EXPECT_PRED2(same_bits, account.unrealized_pnl, want["unrealized"].get<double>()) << broker;
    EXPECT_PRED2(same_bits, account.total_buy_amount, want["buy"].get<double>()) << broker;
    EXPECT_PRED2(same_bits, account.total_sell_amount, want["sell"].get<double>()) << broker;
    EXPECT_PRED2(same_bits, account.timing_alpha, want["timing_alpha"].get<double>()) << broker;
  }
}

std::vector<ExampleCase> all_examples() {
  std::vector<ExampleCase> cases;
  for (size_t i = 0; i < worked_examples()["examples"].size(); ++i) {
    cases.push_back({i, Mode::kCompatV1});
    cases.push_back({i, Mode::kCompatV2});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Spec, WorkedExample, testing::ValuesIn(all_examples()),
                         [](const testing::TestParamInfo<ExampleCase>& test) {
                           const json& example = worked_examples()["examples"][test.param.index];
                           return fmt::format("{:02}_{}", example["id"].get<int>(),
                                              to_string(test.param.mode));
                         });

TEST(WorkedExamples, AreAllThirtySix) { EXPECT_EQ(worked_examples()["examples"].size(), 36); }

// ---- The goldens

using AccountKey = std::pair<std::string, std::optional<std::string>>;

/// Everything the mode computes for a golden, by symbol.
struct GoldenRun {
  std::map<std::string, DailySummary> summaries;
  std::map<std::string, SymbolPnl> pnl;

  GoldenRun(const std::string& golden, Mode mode)
      : summaries(golden_summaries(golden, mode == Mode::kCompatV2)) {
    auto prices = golden_closes(golden);
    for (const auto& [symbol, summary] : summaries) {
      pnl[symbol] =
          value_of(compute_symbol_pnl(summary, prices[symbol], {.mode = mode, .daily = true}));
    }
  }

  std::optional<std::string> broker(const std::string& symbol, uint32_t index) const {
    const DailySummary& summary = summaries.at(symbol);
    if (summary.has_null_broker && index == 0) return std::nullopt;
    return summary.brokers[index];
  }

  std::map<AccountKey, AccountPnl> accounts() const {
    std::map<AccountKey, AccountPnl> all;
    for (const auto& [symbol, result] : pnl) {
      for (const AccountPnl& account : result.accounts) {
        all[{symbol, broker(symbol, account.broker_index)}] = account;
      }
    }
    return all;
  }
};

void expect_accounts(const GoldenRun& run, const Cells& golden) {
  const auto accounts = run.accounts();
  ASSERT_EQ(static_cast<int64_t>(accounts.size()), golden.rows());
  for (int64_t row = 0; row < golden.rows(); ++row) {
    const AccountKey key{golden.text("symbol_id", row).value(), golden.text("broker", row)};
    SCOPED_TRACE(key.first + " " + key.second.value_or("null"));
    ASSERT_TRUE(accounts.contains(key));
    const AccountPnl& got = accounts.at(key);
    EXPECT_PRED2(same_bits, got.total_pnl, golden.number("total_pnl", row));
    EXPECT_PRED2(same_bits, got.realized_pnl, golden.number("realized_pnl", row));
    EXPECT_PRED2(same_bits, got.unrealized_pnl, golden.number("unrealized_pnl", row));
    EXPECT_PRED2(same_bits, got.total_buy_amount, golden.number("total_buy_amount", row));
    EXPECT_PRED2(same_bits, got.total_sell_amount, golden.number("total_sell_amount", row));
    EXPECT_PRED2(same_bits, got.timing_alpha, golden.number("timing_alpha", row));
  }
}

class Golden : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, Golden, testing::Values("small", "edge"),
                         [](const auto& test) { return test.param; });

TEST_P(Golden, AccountsOfV1EqualTheSeedStateBitForBit) {
  expect_accounts(GoldenRun(GetParam(), Mode::kCompatV1),
                  Cells(golden_dir(GetParam()) / "expected/symbol_broker.parquet"));
}

TEST_P(Golden, AccountsOfV2EqualTheLaterStateBitForBit) {
  expect_accounts(GoldenRun(GetParam(), Mode::kCompatV2),
                  Cells(golden_dir(GetParam()) / "expected_later/pnl.parquet"));
}

TEST_P(Golden, OpenLotsOfV2EqualTheLaterStateInOrder) {
  const GoldenRun run(GetParam(), Mode::kCompatV2);
  const Cells golden(golden_dir(GetParam()) / "expected_later/fifo_state.parquet");
  int64_t row = 0;
  for (const auto& [symbol, result] : run.pnl) {
    for (const OpenLot& lot : result.lots) {
      ASSERT_LT(row, golden.rows());
      ASSERT_EQ(golden.text("symbol_id", row), symbol);
      ASSERT_EQ(golden.text("broker", row), run.broker(symbol, lot.broker_index));
      EXPECT_EQ(golden.text("side", row), lot.is_long ? "long" : "short");
      EXPECT_EQ(golden.integer("shares", row), lot.shares);
      EXPECT_EQ(golden.date("open_date", row), lot.open_date);
      EXPECT_PRED2(same_bits, lot.cost_per_share, golden.number("cost_per_share", row));
      ++row;
    }
  }
  EXPECT_EQ(row, golden.rows());
}

TEST_P(Golden, DailyRowsOfV2EqualTheLaterStateBitForBit) {
  const GoldenRun run(GetParam(), Mode::kCompatV2);
  const Cells golden(golden_dir(GetParam()) / "expected_later/pnl_daily.parquet");
  int64_t row = 0;
  for (const auto& [symbol, result] : run.pnl) {
    for (const DailyPnl& daily : result.daily) {
      ASSERT_LT(row, golden.rows());
      ASSERT_EQ(golden.text("symbol_id", row), symbol);
      ASSERT_EQ(golden.text("broker", row), run.broker(symbol, daily.broker_index));
      ASSERT_EQ(golden.date("date", row), daily.date);
      EXPECT_PRED2(same_bits, daily.realized_pnl, golden.number("realized_pnl", row));
      EXPECT_PRED2(same_bits, daily.unrealized_pnl, golden.number("unrealized_pnl", row));
      ++row;
    }
  }
  EXPECT_EQ(row, golden.rows());
}

}  // namespace
}  // namespace tapeworks::test
