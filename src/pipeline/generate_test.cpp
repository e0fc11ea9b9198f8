#include "pipeline/generate.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include <arrow/array.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include "storage/parquet_read.h"

namespace tapeworks {
namespace {

namespace fs = std::filesystem;

struct Row {
  std::string symbol;
  int64_t stamp_ms = 0;
  std::string broker;
  std::string name;
  std::string price;
  int64_t buy = 0;
  int64_t sell = 0;

  auto operator<=>(const Row&) const = default;
  double price_value() const {
    std::string digits = price;
    std::erase(digits, ',');
    return price == "-" ? 0 : std::stod(digits);
  }
};

std::shared_ptr<arrow::Table> read_table(const fs::path& path) {
  auto table = read_parquet(path, {}, arrow::default_memory_pool());
  if (!table) throw std::runtime_error(table.error().message);
  return (*table)->CombineChunks().ValueOrDie();
}

template <typename Array>
const Array& column(const arrow::Table& table, int index) {
  return dynamic_cast<const Array&>(*table.column(index)->chunk(0));
}

void append_rows(std::vector<Row>& rows, const fs::path& path) {
  const auto table = read_table(path);
  for (int64_t row = 0; row < table->num_rows(); ++row) {
    const auto text = [&](int index) {
      return column<arrow::StringArray>(*table, index).GetString(row);
    };
    rows.push_back({text(0), column<arrow::TimestampArray>(*table, 1).Value(row), text(2), text(3),
                    text(4), column<arrow::Int64Array>(*table, 5).Value(row),
                    column<arrow::Int64Array>(*table, 6).Value(row)});
  }
}

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Generate : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(testing::TempDir()) / (std::string("tapeworks-generate-") + test->name());
    fs::remove_all(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  GenerateOptions small() const {
    GenerateOptions options;
    options.out_dir = folder_ / "out";
    options.row_count = 30'000;
    options.market.symbol_count = 30;
    options.market.broker_count = 100;
    options.market.day_count = 9;
    return options;
  }

  GenerateResult generate(const GenerateOptions& options) const {
    auto result = generate_transactions(options, arrow::default_memory_pool());
    if (!result) throw std::runtime_error(result.error().message);
    return *result;
  }

  /// The rows of broker_tx.parquet, or of the files of the days one after the other.
  std::vector<Row> rows(const GenerateOptions& options) const {
    std::vector<Row> rows;
    if (!options.per_day) {
      append_rows(rows, options.out_dir / "broker_tx.parquet");
      return rows;
    }
    std::set<fs::path> paths;
    for (const auto& entry : fs::directory_iterator(options.out_dir / "broker_tx")) {
      paths.insert(entry.path());
    }
    for (const auto& path : paths) append_rows(rows, path);
    return rows;
  }

  fs::path folder_;
};

TEST_F(Generate, WritesExactlyTheRowsAskedFor) {
  for (const uint64_t row_count : {1U, 2U, 3U, 10U, 999U, 30'001U}) {
    GenerateOptions options = small();
    options.row_count = row_count;
    EXPECT_EQ(generate(options).row_count, row_count);
    EXPECT_EQ(rows(options).size(), row_count);
  }
}

TEST_F(Generate, TheSmallestMarketWorks) {
  GenerateOptions options = small();
  options.row_count = 1;
  options.market.symbol_count = 1;
  options.market.broker_count = 1;
  options.market.day_count = 1;
  for (const RowOrder order : {RowOrder::kDate, RowOrder::kShuffled}) {
    options.order = order;
    EXPECT_EQ(generate(options).group_count, 1U);
    const std::vector<Row> made = rows(options);
    ASSERT_EQ(made.size(), 1U);
    EXPECT_EQ(made[0].symbol, "2330");
    EXPECT_EQ(made[0].broker, "9999");
    EXPECT_EQ(read_table(options.out_dir / "close_prices.parquet")->num_rows(), 1);
  }
}

TEST_F(Generate, HasTheVendorsColumns) {
  const GenerateOptions options = small();
  generate(options);
  EXPECT_EQ(read_table(options.out_dir / "broker_tx.parquet")->schema()->ToString(),
            "symbol_id: string\ndate: timestamp[ms, tz=UTC]\nbroker: string\nbroker_name: string\n"
            "price: string\nbuy: int64\nsell: int64");
  EXPECT_EQ(read_table(options.out_dir / "close_prices.parquet")->schema()->ToString(),
            "symbol_id: string\ndate: date32[day]\nclose_price: float");
}

TEST_F(Generate, TheSameOptionsGiveTheSameBytesForAnyThreads) {
  GenerateOptions options = small();
  options.row_count = 1'200'000;  // more than one row group
  for (const RowOrder order : {RowOrder::kDate, RowOrder::kShuffled}) {
    options.order = order;
    options.thread_count = 1;
    generate(options);
    const std::string one_thread = bytes_of(options.out_dir / "broker_tx.parquet");
    const std::string closes = bytes_of(options.out_dir / "close_prices.parquet");
    options.thread_count = 2;
    generate(options);
    EXPECT_TRUE(bytes_of(options.out_dir / "broker_tx.parquet") == one_thread);
    EXPECT_TRUE(bytes_of(options.out_dir / "close_prices.parquet") == closes);
  }
}

TEST_F(Generate, AnotherSeedGivesAnotherMarket) {
  GenerateOptions options = small();
  generate(options);
  const std::vector<Row> first = rows(options);
  options.market.seed = 2;
  generate(options);
  EXPECT_NE(rows(options), first);
}

// Fails when the rows change, on purpose or by a platform that computes otherwise. After a change
// on purpose, put in what the message shows and say so in the changelog.
TEST_F(Generate, TheRowsOfASeedNeverChange) {
  const GenerateOptions options = small();
  generate(options);
  uint64_t digest = 0xcbf29ce484222325;  // FNV-1a
  const auto add = [&](const std::string& text) {
    for (const char byte : text + "\n") {
      digest = (digest ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
    }
  };
  for (const Row& row : rows(options)) {
    for (const auto& text : {row.symbol, std::to_string(row.stamp_ms), row.broker, row.name,
                             row.price, std::to_string(row.buy), std::to_string(row.sell)}) {
      add(text);
    }
  }
  EXPECT_EQ(digest, 2595805418606839596U);
}

TEST_F(Generate, RowsAreOrderedByDateSymbolBrokerAndPrice) {
  const GenerateOptions options = small();
  generate(options);
  EXPECT_TRUE(std::ranges::is_sorted(rows(options), {}, [](const Row& row) {
    return std::tuple(row.stamp_ms, row.symbol, row.broker, row.price_value());
  }));
}

TEST_F(Generate, ShuffledRowsAreTheSameRowsScattered) {
  GenerateOptions options = small();
  const GenerateResult ordered_result = generate(options);
  std::vector<Row> ordered = rows(options);
  options.order = RowOrder::kShuffled;
  EXPECT_EQ(generate(options).group_count, ordered_result.group_count);
  std::vector<Row> shuffled = rows(options);
  size_t neighbours = 0;
  for (size_t index = 1; index < shuffled.size(); ++index) {
    const Row& left = shuffled[index - 1];
    const Row& right = shuffled[index];
    neighbours += left.symbol == right.symbol && left.stamp_ms == right.stamp_ms &&
                          left.broker == right.broker
                      ? 1
                      : 0;
  }
  EXPECT_LT(neighbours, shuffled.size() / 500);
  std::ranges::sort(ordered);
  std::ranges::sort(shuffled);
  EXPECT_EQ(ordered, shuffled);
}

TEST_F(Generate, DailyFilesHoldTheSameRowsUnderTheirTradingDay) {
  GenerateOptions options = small();
  generate(options);
  std::vector<Row> single = rows(options);
  options.per_day = true;
  EXPECT_EQ(generate(options).file_count, 9U);
  EXPECT_EQ(rows(options), single);

  std::vector<Row> first_day;
  append_rows(first_day, options.out_dir / "broker_tx" / "broker_tx_20221101.parquet");
  for (const Row& row : first_day) {
    EXPECT_EQ(row.stamp_ms, 19297 * int64_t{86'400'000} - 8 * 3'600'000);
  }

  options.order = RowOrder::kShuffled;
  generate(options);
  std::vector<Row> shuffled = rows(options);
  EXPECT_TRUE(std::ranges::is_sorted(shuffled, {}, &Row::stamp_ms));
  std::ranges::sort(single);
  std::ranges::sort(shuffled);
  EXPECT_EQ(shuffled, single);
}

TEST_F(Generate, StampsDifferByEightHoursAndNothingElse) {
  GenerateOptions options = small();
  generate(options);
  const std::vector<Row> taipei = rows(options);
  options.stamp = DayStamp::kUtcMidnight;
  generate(options);
  std::vector<Row> utc = rows(options);
  for (Row& row : utc) {
    EXPECT_EQ(row.stamp_ms % 86'400'000, 0);
    row.stamp_ms -= 8 * 3'600'000;
  }
  EXPECT_EQ(utc, taipei);
}

TEST_F(Generate, LooksLikeAMarket) {
  GenerateOptions options = small();
  options.row_count = 400'000;
  options.market.symbol_count = 300;
  options.market.broker_count = 300;
  options.market.day_count = 12;
  const GenerateResult result = generate(options);
  const double rows_per_group = 400'000.0 / static_cast<double>(result.group_count);
  EXPECT_GT(rows_per_group, 3.3);
  EXPECT_LT(rows_per_group, 4.0);

  std::set<std::tuple<std::string, int64_t, std::string>> groups;
  std::map<std::string, int> by_symbol;
  std::map<std::pair<std::string, int64_t>, int64_t> balance;
  std::set<std::string> names;
  int unpriced = 0;
  int separators = 0;
  for (const Row& row : rows(options)) {
    groups.emplace(row.symbol, row.stamp_ms, row.broker);
    ++by_symbol[row.symbol];
    names.insert(row.name);
    EXPECT_GE(std::min(row.buy, row.sell), 0);
    EXPECT_GT(row.buy + row.sell, 0);
    if (row.price == "-") {
      EXPECT_TRUE(row.broker.ends_with("T")) << row.broker;
      ++unpriced;
      continue;
    }
    balance[{row.symbol, row.stamp_ms}] += row.buy - row.sell;
    separators += row.price.find(',') != std::string::npos ? 1 : 0;
    const auto cents = static_cast<int64_t>(row.price_value() * 100 + 0.5);
    const int64_t tick = cents < 1000     ? 1
                         : cents < 5000   ? 5
                         : cents < 10000  ? 10
                         : cents < 50000  ? 50
                         : cents < 100000 ? 100
                                          : 500;
    EXPECT_EQ(cents % tick, 0) << row.price;
    EXPECT_GT(cents, 0);
  }
  EXPECT_EQ(groups.size(), result.group_count);
  EXPECT_GT(names.size(), 290U);
  EXPECT_NEAR(unpriced, 400'000 * 0.00045, 40);
  EXPECT_GT(separators, 100);
  for (const auto& [cell, difference] : balance) EXPECT_EQ(difference, 0) << cell.first;
  const auto busiest =
      std::ranges::max_element(by_symbol, {}, [](const auto& e) { return e.second; });
  EXPECT_EQ(busiest->first, "2330");
  EXPECT_GT(busiest->second, 5 * 400'000 / 300);
}

TEST_F(Generate, ClosesAreSortedAndLieWithinTheTradedPrices) {
  GenerateOptions options = small();
  options.row_count = 200'000;
  options.market.symbol_count = 200;
  generate(options);
  const auto table = read_table(options.out_dir / "close_prices.parquet");
  const auto& symbols = column<arrow::StringArray>(*table, 0);
  const auto& dates = column<arrow::Date32Array>(*table, 1);
  const auto& closes = column<arrow::FloatArray>(*table, 2);
  std::map<std::pair<std::string, int32_t>, float> by_day;
  std::vector<std::pair<std::string, int32_t>> keys;
  for (int64_t row = 0; row < table->num_rows(); ++row) {
    keys.emplace_back(symbols.GetString(row), dates.Value(row));
    by_day[keys.back()] = closes.Value(row);
  }
  EXPECT_EQ(by_day.size(), keys.size());
  EXPECT_TRUE(std::ranges::is_sorted(keys));
  EXPECT_GT(keys.size(), 200U * 9 * 8 / 10);
  EXPECT_LT(keys.size(), 200U * 9);

  for (const Row& row : rows(options)) {
    const auto day = static_cast<int32_t>((row.stamp_ms + 8 * 3'600'000) / 86'400'000);
    const auto close = by_day.find({row.symbol, day});
    if (close == by_day.end() || row.price == "-") continue;
    EXPECT_NEAR(row.price_value() / static_cast<double>(close->second), 1, 0.6) << row.symbol;
  }
}

TEST_F(Generate, DaysOfAnotherRunAreRefusedBeforeAnythingIsWritten) {
  GenerateOptions options = small();
  options.per_day = true;
  generate(options);
  const std::string closes = bytes_of(options.out_dir / "close_prices.parquet");
  options.market.start = Day{options.market.start.days_since_epoch + 30};
  const auto refused = generate_transactions(options, arrow::default_memory_pool());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kInvalidArgument);
  EXPECT_NE(refused.error().message.find("broker_tx_20221101.parquet"), std::string::npos);
  EXPECT_EQ(bytes_of(options.out_dir / "close_prices.parquet"), closes);
}

TEST_F(Generate, OptionsWithoutSenseAreRefusedByName) {
  const auto refused = [&](const std::string& option, auto change) {
    GenerateOptions options = small();
    change(options);
    const auto result = generate_transactions(options, arrow::default_memory_pool());
    ASSERT_FALSE(result) << option;
    EXPECT_EQ(result.error().kind, ErrorKind::kInvalidArgument);
    EXPECT_TRUE(result.error().message.starts_with(option)) << result.error().message;
    EXPECT_FALSE(fs::exists(options.out_dir));
  };
  refused("--rows", [](auto& options) { options.row_count = 0; });
  refused("--symbols", [](auto& options) { options.market.symbol_count = 0; });
  refused("--symbols", [](auto& options) { options.market.symbol_count = kSymbolCountMax + 1; });
  refused("--brokers", [](auto& options) { options.market.broker_count = kBrokerCountMax + 1; });
  refused("--days", [](auto& options) { options.market.day_count = 0; });
  refused("--start", [](auto& options) { options.market.start = Day{-1}; });
}

TEST_F(Generate, AFailureLeavesNoFile) {
  GenerateOptions options = small();
  fs::create_directories(options.out_dir / "broker_tx.parquet");  // a folder cannot be replaced
  const auto result = generate_transactions(options, arrow::default_memory_pool());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kIo);
  EXPECT_EQ(std::distance(fs::directory_iterator(options.out_dir), {}), 1);
}

}  // namespace
}  // namespace tapeworks
