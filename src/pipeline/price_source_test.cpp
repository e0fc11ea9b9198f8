#include "pipeline/price_source.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/type.h>
#include <gtest/gtest.h>

#include "pipeline/price_columns.h"
#include "pipeline/price_test_support.h"

namespace tapeworks {
namespace {

class PriceSourceTest : public PriceFilesTest {
 protected:
  /// Rows as "symbol|date|close"; the error's message instead when there is one.
  std::vector<std::string> rows_of(const std::filesystem::path& file,
                                   const PriceColumnNames& names = {}) {
    const auto source = PriceSource::open(file, names, std::nullopt, {}, budget());
    if (!source) return {source.error().message};
    std::vector<std::string> rows;
    while (true) {
      const auto part = (*source)->next();
      if (!part) return {part.error().message};
      if (!*part) return rows;
      EXPECT_EQ((*part)->first_row, static_cast<int64_t>(rows.size()));
      for (int64_t i = 0; i < (*part)->symbol->length(); ++i) {
        rows.push_back(value_text(*(*part)->symbol, i) + "|" + value_text(*(*part)->date, i) + "|" +
                       value_text(*(*part)->close, i));
      }
    }
  }

  std::vector<std::string> csv_rows(std::string_view text, const PriceColumnNames& names = {}) {
    return rows_of(write_text("prices.csv", text), names);
  }

  std::string csv_error(std::string_view text, const PriceColumnNames& names = {}) {
    const auto source =
        PriceSource::open(write_text("prices.csv", text), names, std::nullopt, {}, budget());
    if (source) return message_of((*source)->next());
    EXPECT_EQ(source.error().kind, ErrorKind::kCorrupt);
    return source.error().message;
  }
};

using Rows = std::vector<std::string>;

TEST_F(PriceSourceTest, SymbolsOfACsvFileKeepTheirZeros) {
  EXPECT_EQ(csv_rows("symbol_id,date,close_price\n0050,2023-01-03,110.5\n"),
            Rows{"0050|2023-01-03|110.5"});
}

TEST_F(PriceSourceTest, CsvMayHaveAByteOrderMarkWindowsLinesQuotesAndOtherColumns) {
  EXPECT_EQ(csv_rows("\xEF\xBB\xBF\"Symbol\",Open,Close,Date\r\n"
                     "\"0050\",1,\"1,105.5\",2023-01-03\r\n"
                     "\"A\"\"B\",1,,2023-01-04\r\n"),
            (Rows{"0050|2023-01-03|1,105.5", "A\"B|2023-01-04|"}));
}

TEST_F(PriceSourceTest, TabsMayPartTheFields) {
  EXPECT_EQ(csv_rows("coid\tmdate\tclose_d\n2330\t2023-01-03\t500\n"), Rows{"2330|2023-01-03|500"});
}

TEST_F(PriceSourceTest, ACsvFileWithoutLineEndAndWithAnEmptyLineIsRead) {
  EXPECT_EQ(csv_rows("symbol,date,close\n\n2330,2023-01-03,500"), Rows{"2330|2023-01-03|500"});
}

TEST_F(PriceSourceTest, ACsvFileOfSeveralBlocksIsReadToItsEnd) {
  std::string text = "symbol,date,close\n";
  for (int i = 0; i < 200'000; ++i) text += "2330,2023-01-03,500\n";
  EXPECT_EQ(csv_rows(text).size(), 200'000U);
}

TEST_F(PriceSourceTest, AFileWithOnlyTheLineOfNamesHasNoRows) {
  EXPECT_EQ(csv_rows("symbol,date,close\n"), Rows{});
}

TEST_F(PriceSourceTest, TheContentDecidesNotTheName) {
  const auto file = write_parquet("prices.csv", {{"coid", arrow::utf8(), R"(["2330"])"},
                                                 {"mdate", arrow::date32(), "[19360]"},
                                                 {"close_d", arrow::float64(), "[500]"}});
  EXPECT_EQ(rows_of(file), Rows{"2330|2023-01-03|500"});
}

TEST_F(PriceSourceTest, ColumnsAreTakenByTheNamesGiven) {
  EXPECT_EQ(csv_rows("a,b,c,close\n1,2330,2023-01-03,7\n", {"b", "c", "a"}),
            Rows{"2330|2023-01-03|1"});
}

TEST_F(PriceSourceTest, AMissingColumnIsAnErrorThatNamesTheOnesThereAre) {
  EXPECT_PRED2(contains, csv_error("symbol,date,last\n"),
               "prices.csv: no column is named like the close; its columns are symbol, "
               "date, last; name it with --column-close");
  EXPECT_PRED2(contains, csv_error("symbol,date,close\n", {"", "day", ""}),
               "prices.csv: there is no column 'day' (--column-date); its columns are "
               "symbol, date, close");
}

TEST_F(PriceSourceTest, AnAmbiguousColumnIsAnErrorThatNamesTheCandidates) {
  EXPECT_PRED2(contains, csv_error("symbol,date,close,adj_close\n"),
               "each of the columns close, adj_close could be the close; choose with "
               "--column-close");
  EXPECT_PRED2(contains, csv_error("symbol,date,close,close\n"), "close, close could be");
}

TEST_F(PriceSourceTest, ARowWithTooFewFieldsIsNamed) {
  EXPECT_PRED2(contains, csv_error("symbol,date,close\n2330,2023-01-03,1\n2330,2023-01-04\n"),
               "prices.csv: CSV parse error: Row #3: Expected 3 columns, got 2");
}

TEST_F(PriceSourceTest, RowsOfACsvFileCountAsEditorsDo) {
  const auto source = PriceSource::open(write_text("prices.csv", "symbol,date,close\n"), {},
                                        std::nullopt, {}, budget());
  ASSERT_TRUE(source) << message_of(source);
  EXPECT_EQ((*source)->place(0), "row 2");
}

TEST_F(PriceSourceTest, RowsOfAParquetFileCountWithinTheirRowGroup) {
  const auto file = write_parquet("prices.parquet",
                                  {{"symbol", arrow::utf8(), R"(["a", "b", "c", "d", "e"])"},
                                   {"date", arrow::date32(), "[1, 2, 3, 4, 5]"},
                                   {"close", arrow::float64(), "[1, 2, 3, 4, 5]"}},
                                  2);
  EXPECT_EQ(rows_of(file).size(), 5U);
  const auto source = PriceSource::open(file, {}, std::nullopt, {}, budget());
  ASSERT_TRUE(source) << message_of(source);
  EXPECT_EQ((*source)->place(0), "row group 0, row 0");
  EXPECT_EQ((*source)->place(3), "row group 1, row 1");
  EXPECT_EQ((*source)->place(4), "row group 2, row 0");
}

TEST_F(PriceSourceTest, SymbolsThatAreNumbersAreRefusedWithTheReason) {
  const auto file = write_parquet("prices.parquet", {{"symbol", arrow::int64(), "[50]"},
                                                     {"date", arrow::date32(), "[1]"},
                                                     {"close", arrow::float64(), "[1]"}});
  const auto source = PriceSource::open(file, {}, std::nullopt, {}, budget());
  EXPECT_PRED2(contains, message_of(source),
               "prices.parquet: column 'symbol': symbols are of type int64, so leading "
               "zeros are lost (0050 became 50); write the column as text");
}

TEST_F(PriceSourceTest, DatesAndClosesOfOtherTypesAreRefused) {
  const auto error_with = [&](const std::shared_ptr<arrow::DataType>& date,
                              const std::shared_ptr<arrow::DataType>& close) {
    return message_of(
        PriceSource::open(write_parquet("prices.parquet", {{"symbol", arrow::utf8(), R"(["a"])"},
                                                           {"date", date, "[1]"},
                                                           {"close", close, "[1]"}}),
                          {}, std::nullopt, {}, budget()));
  };
  EXPECT_PRED2(contains, error_with(arrow::int32(), arrow::float64()), "dates are of type int32");
  EXPECT_PRED2(contains, error_with(arrow::date32(), arrow::boolean()), "closes are of type bool");
}

TEST_F(PriceSourceTest, WhatIsNeitherParquetNorCsvIsRefused) {
  const auto error_of = [&](const std::filesystem::path& file) {
    const auto source = PriceSource::open(file, {}, std::nullopt, {}, budget());
    EXPECT_FALSE(source);
    return source ? Error{ErrorKind::kInternal, ""} : source.error();
  };
  EXPECT_EQ(error_of(write_text("a.csv", "")).kind, ErrorKind::kCorrupt);
  EXPECT_PRED2(contains, error_of(write_text("a.csv", std::string_view("s\0y\0", 4))).message,
               "neither a Parquet file nor CSV text");
  EXPECT_EQ(error_of(write_text("a.parquet", "symbol,date,close\n")).kind, ErrorKind::kCorrupt);
  EXPECT_EQ(error_of(write_text("b.csv", "PAR1 and no more")).kind, ErrorKind::kCorrupt);
}

TEST_F(PriceSourceTest, ASourceThatIsNoFileIsAUsageError) {
  for (const std::string& source : {path("nowhere.csv").string(), root_.string(),
                                    std::string("adbc:postgresql?uri=x&sql=secret")}) {
    const auto status = check_price_source(source);
    ASSERT_FALSE(status) << source;
    EXPECT_EQ(status.error().kind, ErrorKind::kInvalidArgument);
    EXPECT_EQ(status.error().message.find("secret"), std::string::npos);
  }
}

}  // namespace
}  // namespace tapeworks
