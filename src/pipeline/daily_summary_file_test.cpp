#include "pipeline/daily_summary_file.h"

#include <fstream>

#include <arrow/buffer.h>
#include <gtest/gtest.h>

#include "pipeline/pnl_test_support.h"
#include "storage/parquet_write.h"
#include "storage/scratch_folder.h"

namespace tapeworks {
namespace {

using namespace test;

class DailySummaryFileTest : public testing::Test {
 protected:
  std::filesystem::path write(const DailySummary& summary) {
    arrow::MemoryPool* const pool = arrow::default_memory_pool();
    const auto table = value_of(daily_summary_table(summary, AmountWidth::kFloat64, pool));
    const auto bytes = value_of(encode_parquet(*table, {}, pool));
    const auto path = folder_.path() / (summary.symbol + ".parquet");
    std::ofstream(path, std::ios::binary) << bytes->ToString();
    return path;
  }

 private:
  ScratchFolder folder_ = value_of(ScratchFolder::make({}));
};

TEST_F(DailySummaryFileTest, AReaderKeepsNothingOfTheFileBefore) {
  const Day early = day("2023-01-03");
  const Day late = day("2023-01-04");
  const DailySummary large = SummaryBuilder("1101")
                                 .add(std::nullopt, early, {.buy_shares = 9, .buy_amount = 90})
                                 .add("A", early, {.buy_shares = 1, .buy_amount = 10})
                                 .add("A", late, {.sell_shares = 2, .sell_amount = 20})
                                 .add("B", kNullDay, {.buy_shares = 3, .buy_amount = 30})
                                 .build();
  const DailySummary small =
      SummaryBuilder("2330").add("C", late, {.sell_shares = 4, .sell_amount = 40}).build();
  const DailySummary empty = SummaryBuilder("3008").build();
  DailySummaryReader reader(arrow::default_memory_pool());
  for (const DailySummary* const summary : {&large, &small, &large, &empty, &small}) {
    expect_same(*value_of(reader.read(write(*summary))), *summary);
  }
  expect_same(value_of(read_daily_summary(write(large), arrow::default_memory_pool())), large);
}

}  // namespace
}  // namespace tapeworks
