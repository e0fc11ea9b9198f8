#include "pipeline/close_prices.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <arrow/type.h>
#include <gtest/gtest.h>

#include "pipeline/price_test_support.h"

namespace tapeworks {
namespace {

class ClosePricesTest : public PriceFilesTest {
 protected:
  Result<ClosePrices> load(const std::vector<TestColumn>& columns) {
    return load_close_prices(write_parquet("close_prices.parquet", columns), budget().pool());
  }
};

const Day kTuesday = day_from_civil(2023, 1, 3);
const Day kWednesday = day_from_civil(2023, 1, 4);

TEST_F(ClosePricesTest, ClosesOfASymbolAreSortedByDateWhateverTheOrderOfTheFile) {
  const auto prices = load({{"symbol_id", arrow::utf8(), R"(["2330", "0050", "2330"])"},
                            {"date", arrow::date32(), "[19361, 19360, 19360]"},
                            {"close_price", arrow::float32(), "[501.5, 110.25, 500]"}});
  ASSERT_TRUE(prices) << message_of(prices);
  EXPECT_EQ(prices->of("2330").date, (std::vector{kTuesday, kWednesday}));
  EXPECT_EQ(prices->of("2330").close, (std::vector{500.0, 501.5}));
  EXPECT_EQ(prices->of("0050").close, std::vector{110.25});
}

TEST_F(ClosePricesTest, TheLaterRowOfADateCounts) {
  const auto prices = load({{"symbol_id", arrow::utf8(), R"(["2603", "2603", "2603"])"},
                            {"date", arrow::date32(), "[19360, 19361, 19360]"},
                            {"close_price", arrow::float64(), "[1, 2, 3]"}});
  ASSERT_TRUE(prices) << message_of(prices);
  EXPECT_EQ(prices->of("2603").date, (std::vector{kTuesday, kWednesday}));
  EXPECT_EQ(prices->of("2603").close, (std::vector{3.0, 2.0}));
}

TEST_F(ClosePricesTest, ANullCloseIsNotANumberAndFloat32IsWidened) {
  const auto prices = load({{"symbol_id", arrow::utf8(), R"(["1101", "1101"])"},
                            {"date", arrow::date32(), "[19360, 19361]"},
                            {"close_price", arrow::float32(), "[null, 10.1]"}});
  ASSERT_TRUE(prices) << message_of(prices);
  EXPECT_TRUE(std::isnan(prices->of("1101").close[0]));
  EXPECT_EQ(prices->of("1101").close[1], static_cast<double>(10.1F));
}

TEST_F(ClosePricesTest, ASymbolWithoutClosesHasAnEmptySeries) {
  EXPECT_TRUE(ClosePrices().of("9999").date.empty());
}

TEST_F(ClosePricesTest, TablesOfOtherProgramsAreRead) {
  const auto prices =
      load({{"symbol_id", arrow::dictionary(arrow::int32(), arrow::utf8()), R"(["2330", "0050"])"},
            {"date", arrow::utf8(), R"(["2023-01-03", "2023-01-04"])"},
            {"close_price", arrow::int64(), "[500, 110]"}});
  ASSERT_TRUE(prices) << message_of(prices);
  EXPECT_EQ(prices->of("2330").date, std::vector{kTuesday});
  EXPECT_EQ(prices->of("0050").close, std::vector{110.0});
}

TEST_F(ClosePricesTest, ARowWithoutDateIsNamed) {
  const auto prices = load({{"symbol_id", arrow::utf8(), R"(["2330", "2330"])"},
                            {"date", arrow::date32(), "[19360, null]"},
                            {"close_price", arrow::float32(), "[1, 2]"}});
  ASSERT_FALSE(prices);
  EXPECT_EQ(prices.error().kind, ErrorKind::kCorrupt);
  EXPECT_NE(message_of(prices).find("close_prices.parquet: row 1 has no symbol, no date"),
            std::string::npos)
      << message_of(prices);
}

TEST_F(ClosePricesTest, AMissingColumnIsNamed) {
  const auto prices = load({{"symbol_id", arrow::utf8(), "[]"}, {"date", arrow::date32(), "[]"}});
  ASSERT_FALSE(prices);
  EXPECT_EQ(prices.error().kind, ErrorKind::kCorrupt);
  EXPECT_NE(message_of(prices).find("'close_price' is missing"), std::string::npos);
}

}  // namespace
}  // namespace tapeworks
