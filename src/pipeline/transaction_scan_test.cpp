#include "pipeline/transaction_scan.h"

#include <algorithm>
#include <mutex>
#include <random>

#include <arrow/builder.h>
#include <arrow/io/file.h>
#include <arrow/table.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>
#include <unistd.h>

#include "base/units.h"
#include "pipeline/summary_reduce.h"

namespace tapeworks {
namespace {

struct Trade {
  std::string symbol, broker, price;
  int64_t day = 0;
  int64_t buy = 0, sell = 0;
};

/// The group's sums as whole cents, which the tests can compute without rounding.
struct Sums {
  int64_t buy_shares = 0, sell_shares = 0, buy_cents = 0, sell_cents = 0;
  auto operator<=>(const Sums&) const = default;
};
using Groups = std::map<std::tuple<std::string, std::string, int64_t>, Sums>;

std::vector<Trade> random_trades(uint32_t seed, size_t count) {
  std::mt19937 random(seed);
  std::vector<Trade> trades;
  for (size_t i = 0; i < count; ++i) {
    const auto cents = static_cast<unsigned>(100 + random() % 90'000);
    trades.push_back({"S" + std::to_string(random() % 23), "B" + std::to_string(random() % 31),
                      fmt::format("{}.{:02}", cents / 100, cents % 100),
                      19'000 + static_cast<int64_t>(random() % 40),
                      static_cast<int64_t>(random() % 3'000), static_cast<int64_t>(random() % 50)});
  }
  return trades;
}

Groups sum_up(const std::vector<Trade>& trades) {
  Groups groups;
  for (const Trade& trade : trades) {
    Sums& sums = groups[{trade.symbol, trade.broker, trade.day}];
    std::string digits = trade.price;
    std::erase(digits, '.');
    const int64_t cents = std::stoll(digits);
    sums.buy_shares += trade.buy;
    sums.sell_shares += trade.sell;
    sums.buy_cents += trade.buy * cents;
    sums.sell_cents += trade.sell * cents;
  }
  return groups;
}

class TransactionScanTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / ("scan-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    options_.amounts = AmountWidth::kFloat64;
    options_.days.day_zone = FixedZone{8 * 3600};
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path write(const std::string& name, const std::vector<Trade>& trades,
                              int64_t row_group_rows) {
    arrow::StringBuilder symbol, broker, price;
    arrow::TimestampBuilder date(arrow::timestamp(arrow::TimeUnit::MILLI, "UTC"),
                                 arrow::default_memory_pool());
    arrow::Int64Builder buy, sell;
    for (const Trade& trade : trades) {
      EXPECT_TRUE(symbol.Append(trade.symbol).ok() && broker.Append(trade.broker).ok());
      EXPECT_TRUE(price.Append(trade.price).ok() && buy.Append(trade.buy).ok());
      EXPECT_TRUE(sell.Append(trade.sell).ok());
      // Midnight in Taipei, as vendors stamp it.
      EXPECT_TRUE(date.Append((trade.day * 24 - 8) * 3'600'000).ok());
    }
    const auto schema =
        arrow::schema({arrow::field("symbol_id", arrow::utf8()),
                       arrow::field("date", arrow::timestamp(arrow::TimeUnit::MILLI, "UTC")),
                       arrow::field("broker", arrow::utf8()), arrow::field("price", arrow::utf8()),
                       arrow::field("buy", arrow::int64()), arrow::field("sell", arrow::int64())});
    const auto table =
        arrow::Table::Make(schema, {symbol.Finish().ValueOrDie(), date.Finish().ValueOrDie(),
                                    broker.Finish().ValueOrDie(), price.Finish().ValueOrDie(),
                                    buy.Finish().ValueOrDie(), sell.Finish().ValueOrDie()});
    const auto path = folder_ / name;
    const auto file = arrow::io::FileOutputStream::Open(path.string()).ValueOrDie();
    EXPECT_TRUE(
        parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), file, row_group_rows)
            .ok());
    EXPECT_TRUE(file->Close().ok());
    return path;
  }

  Result<Groups> scan(const std::vector<std::filesystem::path>& files, size_t threads,
                      uint64_t budget_bytes = 1 * kGiB) {
    TW_ASSIGN(const auto budget, MemoryBudget::create(budget_bytes));
    options_.thread_count = threads;
    TW_ASSIGN(TransactionRuns runs, scan_transactions(files, options_, *budget, folder_));
    Groups groups;
    std::mutex mutex;
    const auto collect = [&](uint32_t, const DailySummary& summary) -> Status {
      const std::scoped_lock lock(mutex);
      for (size_t row = 0; row < summary.row_count(); ++row) {
        const auto key = std::tuple(summary.symbol, summary.brokers[summary.broker_index[row]],
                                    int64_t{summary.date[row].days_since_epoch});
        EXPECT_FALSE(groups.contains(key)) << "a group came out twice";
        groups[key] = {summary.buy_shares[row], summary.sell_shares[row],
                       std::llround(summary.buy_amount[row] * 100),
                       std::llround(summary.sell_amount[row] * 100)};
      }
      return {};
    };
    TW_TRY(reduce_to_summaries(runs, {options_.mode, options_.amounts, threads}, *budget, collect));
    return groups;
  }

  std::filesystem::path folder_;
  ScanOptions options_;
};

TEST_F(TransactionScanTest, PartsOfOneLargeRowGroupAreReadByAllThreads) {
  const std::vector<Trade> trades = random_trades(4, 900'000);
  const auto file = write("one.parquet", trades, 900'000);
  const Groups expected = sum_up(trades);
  for (const size_t threads : {1U, 2U, 3U, 7U}) {
    SCOPED_TRACE(threads);
    const auto groups = scan({file}, threads);
    ASSERT_TRUE(groups) << groups.error().message;
    EXPECT_EQ(*groups, expected);
  }
}

TEST_F(TransactionScanTest, APriceTextLongerThanAChunkLeavesTheDatesOfItsNeighboursAlone) {
  std::vector<Trade> trades;
  for (int64_t day = 0; day < 60; ++day) {
    trades.push_back({"2330", "B1", "10.25", 19'000 + day, 100, 0});
    // The same price with more digits than a chunk has bytes.
    if (day % 20 == 7) {
      trades.push_back({"2330", "B2", "3.5" + std::string(20'000, '0'), 19'000 + 2 * day, 7, 1});
    }
  }
  std::vector<Trade> expected = trades;
  for (Trade& trade : expected) trade.price = trade.broker == "B2" ? "3.50" : trade.price;
  const auto groups = scan({write("long.parquet", trades, 1'000)}, 1);
  ASSERT_TRUE(groups) << groups.error().message;
  EXPECT_EQ(*groups, sum_up(expected));
}

TEST_F(TransactionScanTest, ASymbolTooLargeForOnePassIsReadOncePerRangeOfBrokers) {
  // At the least budget a pass has about 160,000 records in each of two threads; the one symbol has
  // 400,000 groups, most of them of one broker.
  std::vector<Trade> trades;
  for (int64_t day = 0; day < 1'000; ++day) {
    for (int64_t broker = 0; broker < 400; ++broker) {
      trades.push_back(
          {"2330", "B" + std::to_string(broker), "10.25", 15'000 + day, broker + 1, day % 3});
    }
  }
  trades.push_back({"1101", "B7", "3.00", 15'001, 5, 0});
  const auto file = write("large.parquet", trades, 100'000);
  const auto groups = scan({file}, 2, MemoryBudget::kMinimumBytes);
  ASSERT_TRUE(groups) << groups.error().message;
  EXPECT_EQ(*groups, sum_up(trades));
}

TEST_F(TransactionScanTest, AnySplitOrderAndThreadCountGivesTheSameGroups) {
  for (uint32_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(seed);
    std::vector<Trade> trades = random_trades(seed, 40'000);
    const Groups expected = sum_up(trades);
    for (const bool ordered : {false, true}) {
      if (ordered) {
        std::ranges::sort(trades, {}, [](const Trade& trade) {
          return std::tuple(trade.day, trade.symbol, trade.broker);
        });
      }
      const auto whole = write("whole.parquet", trades, 7'000);
      const auto middle = trades.begin() + 11'111;
      const auto first = write("first.parquet", {trades.begin(), middle}, 50'000);
      const auto second = write("second.parquet", {middle, trades.end()}, 999);
      for (const size_t threads : {1, 2, 7}) {
        const auto from_one = scan({whole}, threads);
        ASSERT_TRUE(from_one) << from_one.error().message;
        EXPECT_EQ(*from_one, expected);
        const auto from_two = scan({first, second}, threads);
        ASSERT_TRUE(from_two) << from_two.error().message;
        EXPECT_EQ(*from_two, expected);
      }
    }
  }
}

TEST_F(TransactionScanTest, NamesTheFirstBadRowWhateverTheThreadCount) {
  std::vector<Trade> trades = random_trades(9, 5'000);
  trades[3'210].price = "12a";
  trades[4'900].buy = -5;
  const auto path = write("bad.parquet", trades, 1'000);
  for (const size_t threads : {1, 4}) {
    const auto groups = scan({path}, threads);
    ASSERT_FALSE(groups);
    EXPECT_EQ(groups.error().kind, ErrorKind::kCorrupt);
    EXPECT_NE(groups.error().message.find("bad.parquet: row group 3, row 210: the price '12a'"),
              std::string::npos)
        << groups.error().message;
    EXPECT_NE(groups.error().message.find("2 bad rows"), std::string::npos);
  }
}

TEST_F(TransactionScanTest, SkippedRowsLeaveNothingBehindUpToTheirLimit) {
  std::vector<Trade> trades = random_trades(10, 2'000);
  std::vector<Trade> good(trades.begin() + 2, trades.end());
  trades[0].price = "n/a";
  trades[1].sell = -1;
  const auto path = write("some-bad.parquet", trades, 500);
  options_.on_bad_row = OnBadRow::kSkip;
  options_.bad_rows_max = 2;
  const auto groups = scan({path}, 2);
  ASSERT_TRUE(groups) << groups.error().message;
  EXPECT_EQ(*groups, sum_up(good));
  options_.bad_rows_max = 1;
  EXPECT_FALSE(scan({path}, 2));
}

TEST_F(TransactionScanTest, ASumThatDoesNotFitNamesItsGroup) {
  std::vector<Trade> trades(3, Trade{"2330", "1020", "10.00", 19'100, 1'000'000'000, 0});
  const auto groups = scan({write("overflow.parquet", trades, 10)}, 1);
  ASSERT_FALSE(groups);
  EXPECT_EQ(groups.error().kind, ErrorKind::kCorrupt);
  EXPECT_NE(groups.error().message.find("symbol 2330, broker 1020, 2022-04-18"), std::string::npos)
      << groups.error().message;
}

TEST_F(TransactionScanTest, ZonesAreNamesOrOffsets) {
  const auto zone = FixedZone::parse("+05:30");
  ASSERT_TRUE(zone);
  EXPECT_EQ(zone->offset_seconds, 19'800);
  for (const char* text : {"Taipei", "+8", "8:00", "+25:00", "+08:60", ""}) {
    EXPECT_FALSE(FixedZone::parse(text)) << text;
  }
}

}  // namespace
}  // namespace tapeworks
