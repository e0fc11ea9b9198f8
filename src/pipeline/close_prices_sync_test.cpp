#include "pipeline/close_prices_sync.h"

#include <cmath>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include "pipeline/price_columns.h"
#include "pipeline/price_test_support.h"
#include "storage/generation_store.h"
#include "storage/parquet_read.h"
#include "storage/parquet_write.h"

namespace tapeworks {
namespace {

constexpr std::string_view kHeader = "symbol_id,date,close_price\n";

class PriceReadTest : public PriceFilesTest {
 protected:
  Result<PriceReadResult> read(const std::filesystem::path& file) {
    options_.source = file.string();
    return read_close_prices_source(options_, budget());
  }
  Result<PriceReadResult> read_csv(std::string_view lines) {
    return read(write_text("prices.csv", std::string(kHeader) + std::string(lines)));
  }
  Result<PriceReadResult> read_columns(const TestColumn& date, const TestColumn& close,
                                       const std::string& symbols = R"(["2330"])") {
    return read(
        write_parquet("prices.parquet", {{"symbol_id", arrow::utf8(), symbols}, date, close}));
  }
  std::string csv_error(std::string_view lines) {
    const auto result = read_csv(lines);
    EXPECT_FALSE(result);
    EXPECT_EQ(result ? ErrorKind::kInternal : result.error().kind, ErrorKind::kCorrupt);
    return message_of(result);
  }

  /// The table as "symbol date close" lines.
  static std::vector<std::string> lines(const Result<PriceReadResult>& result) {
    if (!result) return {result.error().message};
    const arrow::Table& table = *result->table;
    const auto one = [&](int column, int64_t row) {
      return value_text(*table.column(column)->chunk(0), row);
    };
    std::vector<std::string> all;
    for (int64_t row = 0; row < table.num_rows(); ++row) {
      all.push_back(one(0, row) + " " + one(1, row) + " " + one(2, row));
    }
    return all;
  }

  PriceReadOptions options_;
};

using Lines = std::vector<std::string>;

TEST_F(PriceReadTest, TheTableIsSortedBySymbolBytewiseThenDate) {
  const auto result = read_csv(
      "2330,2023-01-04,501\n0050,2023-01-03,110.5\n2330,2023-01-03,500\n00632R,2023-01-03,5\n"
      "a,2023-01-03,1\nB,2023-01-03,2\n");
  EXPECT_EQ(lines(result),
            (Lines{"0050 2023-01-03 110.5", "00632R 2023-01-03 5", "2330 2023-01-03 500",
                   "2330 2023-01-04 501", "B 2023-01-03 2", "a 2023-01-03 1"}));
  ASSERT_TRUE(result);
  EXPECT_EQ(result->table->schema()->ToString(),
            "symbol_id: string\ndate: date32[day]\nclose_price: float");
  EXPECT_EQ(to_string(result->first_day), "2023-01-03");
  EXPECT_EQ(to_string(result->last_day), "2023-01-04");
  EXPECT_EQ(result->prices.of("2330").close, (std::vector{500.0, 501.0}));
}

TEST_F(PriceReadTest, TheOrderOfRowsDoesNotChangeTheBytes) {
  std::vector<std::string> rows;
  for (int symbol = 0; symbol < 30; ++symbol) {
    for (int day = 10; day < 30; ++day) {
      rows.push_back(fmt::format("{:04},2023-01-{},{}.{}\n", symbol * 7, day, symbol + 1, day));
    }
  }
  const auto bytes_of = [&](const std::vector<std::string>& in_order) {
    std::string text;
    for (const std::string& row : in_order) text += row;
    const auto result = read_csv(text);
    EXPECT_TRUE(result) << message_of(result);
    return encode_parquet(*result->table, {}, budget().pool()).value()->ToString();
  };
  const std::string expected = bytes_of(rows);
  for (const unsigned seed : {1U, 2U, 3U}) {
    std::mt19937 random(seed);
    std::ranges::shuffle(rows, random);
    EXPECT_EQ(bytes_of(rows), expected) << "seed " << seed;
  }
}

TEST_F(PriceReadTest, SymbolsMayBeTextOfEveryKind) {
  for (const auto& type : {arrow::utf8(), arrow::large_utf8(), arrow::utf8_view(), arrow::binary(),
                           arrow::dictionary(arrow::int16(), arrow::utf8()),
                           arrow::dictionary(arrow::uint32(), arrow::large_utf8())}) {
    const auto result =
        read(write_parquet("prices.parquet", {{"symbol_id", type, R"(["0050", "2330", "0050"])"},
                                              {"date", arrow::date32(), "[19361, 19360, 19360]"},
                                              {"close_price", arrow::float32(), "[3, 2, 1]"}}));
    EXPECT_EQ(lines(result), (Lines{"0050 2023-01-03 1", "0050 2023-01-04 3", "2330 2023-01-03 2"}))
        << type->ToString();
  }
}

TEST_F(PriceReadTest, DatesMayBeDatesTimestampsOrText) {
  const auto days_with = [&](const std::shared_ptr<arrow::DataType>& type, const char* json) {
    return lines(read_columns({"date", type, json}, {"close_price", arrow::int32(), "[7]"}));
  };
  const Lines expected{"2330 2023-01-03 7"};
  EXPECT_EQ(days_with(arrow::date32(), "[19360]"), expected);
  EXPECT_EQ(days_with(arrow::date64(), "[1672704000000]"), expected);
  for (const auto unit : {arrow::TimeUnit::SECOND, arrow::TimeUnit::MILLI, arrow::TimeUnit::MICRO,
                          arrow::TimeUnit::NANO}) {
    EXPECT_EQ(days_with(arrow::timestamp(unit), R"(["2023-01-03"])"), expected);
  }
  EXPECT_EQ(days_with(arrow::utf8(), R"(["2023-01-03"])"), expected);
  EXPECT_EQ(days_with(arrow::utf8(), R"([" 2023-01-03 00:00:00.000 "])"), expected);
  EXPECT_EQ(days_with(arrow::utf8(), R"(["2023-01-03T00:00:00"])"), expected);
  EXPECT_EQ(days_with(arrow::date32(), "[-1]"), Lines{"2330 1969-12-31 7"});
}

TEST_F(PriceReadTest, AnInstantFallsOnItsDayInTaipeiOrInV1InUtc) {
  const auto day_of = [&](Mode mode, const char* instant) {
    options_.mode = mode;
    const auto result = read_columns({"date", arrow::timestamp(arrow::TimeUnit::MILLI, "UTC"),
                                      fmt::format(R"(["{}"])", instant)},
                                     {"close_price", arrow::int32(), "[7]"});
    return result ? to_string(result->first_day) : result.error().message;
  };
  EXPECT_EQ(day_of(Mode::kDefault, "2023-01-02 16:00:00"), "2023-01-03");
  EXPECT_EQ(day_of(Mode::kDefault, "2023-01-02 15:59:59"), "2023-01-02");
  EXPECT_EQ(day_of(Mode::kCompatV2, "2023-01-02 16:00:00"), "2023-01-03");
  EXPECT_EQ(day_of(Mode::kCompatV1, "2023-01-02 16:00:00"), "2023-01-02");
  EXPECT_EQ(day_of(Mode::kCompatV1, "1969-12-31 23:59:59"), "1969-12-31");
}

TEST_F(PriceReadTest, ANaiveTimeThatIsNotMidnightIsRefused) {
  const auto result =
      read_columns({"date", arrow::timestamp(arrow::TimeUnit::SECOND),
                    R"(["2023-01-03", "2023-01-04 08:00:00"])"},
                   {"close_price", arrow::int32(), "[7, 7]"}, R"(["2330", "2330"])");
  EXPECT_PRED2(contains, message_of(result),
               "prices.parquet: row group 0, row 1: '2023-01-04 "
               "08:00:00.000' is a time without a zone");
}

TEST_F(PriceReadTest, ClosesMayBeNumbersOfEveryKindOrText) {
  const auto close_with = [&](const std::shared_ptr<arrow::DataType>& type, const char* json) {
    return lines(read_columns({"date", arrow::date32(), "[19360]"}, {"close_price", type, json}));
  };
  const Lines expected{"2330 2023-01-03 1005"};
  for (const auto& type : {arrow::float32(), arrow::float64(), arrow::int16(), arrow::int32(),
                           arrow::int64(), arrow::uint16(), arrow::uint32(), arrow::uint64()}) {
    EXPECT_EQ(close_with(type, "[1005]"), expected) << type->ToString();
  }
  EXPECT_EQ(close_with(arrow::int8(), "[7]"), Lines{"2330 2023-01-03 7"});
  EXPECT_EQ(close_with(arrow::uint8(), "[200]"), Lines{"2330 2023-01-03 200"});
  EXPECT_EQ(close_with(arrow::decimal128(10, 2), R"(["1005.00"])"), expected);
  EXPECT_EQ(close_with(arrow::decimal256(40, 3), R"(["1005.000"])"), expected);
  for (const char* text : {"1005", "1,005", "1005.0", "1.005e3", " 1005 ", "1,005.00"}) {
    EXPECT_EQ(close_with(arrow::utf8(), fmt::format(R"(["{}"])", text).c_str()), expected) << text;
  }
  EXPECT_EQ(close_with(arrow::dictionary(arrow::int32(), arrow::utf8()), R"(["1005"])"), expected);
}

TEST_F(PriceReadTest, TextIsRoundedOnceToFloat32AndDoublesAreCast) {
  // Just above the middle of two float32: by way of float64 it would round to even, downwards.
  const std::string text = "1.000000178813934326171875000000001";
  const float up = std::nextafter(std::nextafter(1.0F, 2.0F), 2.0F);
  const auto from_text = read_columns({"date", arrow::utf8(), R"(["2023-01-03"])"},
                                      {"close_price", arrow::utf8(), "[\"" + text + "\"]"});
  ASSERT_TRUE(from_text) << message_of(from_text);
  EXPECT_EQ(from_text->prices.of("2330").close[0], static_cast<double>(up));
  const auto from_double = read_columns({"date", arrow::utf8(), R"(["2023-01-03"])"},
                                        {"close_price", arrow::float64(), "[10.1]"});
  ASSERT_TRUE(from_double) << message_of(from_double);
  EXPECT_EQ(from_double->prices.of("2330").close[0], static_cast<double>(10.1F));
}

TEST_F(PriceReadTest, WithWideAmountsClosesAreFloat64) {
  options_.amounts = AmountWidth::kFloat64;
  const auto result = read_csv("2330,2023-01-03,10.1\n");
  ASSERT_TRUE(result) << message_of(result);
  EXPECT_EQ(result->table->schema()->field(2)->type()->id(), arrow::Type::DOUBLE);
  EXPECT_EQ(result->prices.of("2330").close[0], 10.1);
}

TEST_F(PriceReadTest, NullZeroAndWordsForNothingAreNoClose) {
  const auto result = read_csv(
      "A,2023-01-03,\nB,2023-01-03,0\nC,2023-01-03,-0.0\nD,2023-01-03,NULL\nE,2023-01-03,-\n"
      "F,2023-01-03,NA\nG,2023-01-03,1\n");
  ASSERT_TRUE(result) << message_of(result);
  EXPECT_EQ(result->table->column(2)->null_count(), 6);
  EXPECT_EQ(result->counts.at("closes_missing"), 6U);
  EXPECT_TRUE(std::isnan(result->prices.of("B").close[0]));
}

TEST_F(PriceReadTest, InCompatModesZeroStaysZeroAndNullStaysNull) {
  for (const Mode mode : {Mode::kCompatV1, Mode::kCompatV2}) {
    options_.mode = mode;
    EXPECT_EQ(lines(read_csv("A,2023-01-03,0\nB,2023-01-03,\nC,2023-01-03,-5\n")),
              (Lines{"A 2023-01-03 0", "B 2023-01-03 null", "C 2023-01-03 -5"}));
  }
}

TEST_F(PriceReadTest, ABadCloseIsRefusedWithFileRowAndValue) {
  EXPECT_PRED2(contains, csv_error("2330,2023-01-03,500\n2330,2023-01-04,-5\n"),
               "prices.csv: row 3: close '-5' of 2330 on 2023-01-04 is negative");
  EXPECT_PRED2(contains, csv_error("2330,2023-01-03,nan\n"), "prices.csv: row 2: close 'nan'");
  EXPECT_PRED2(contains, csv_error("2330,2023-01-03,inf\n"), "row 2: close 'inf'");
  for (const std::string text : {"12a", "1,05", "1,0000", ",100", "1.5.2", "1e99", "1e-99", "0x10",
                                 "--", "1 2", "12,", "1.000,5"}) {
    EXPECT_PRED2(contains, csv_error("2330,2023-01-03,\"" + text + "\"\n"),
                 "row 2: close '" + text + "' of 2330 on 2023-01-03 is no number");
  }
  const auto wide = read_columns({"date", arrow::date32(), "[19360]"},
                                 {"close_price", arrow::float64(), "[1e300]"});
  EXPECT_PRED2(contains, message_of(wide),
               "row group 0, row 0: close '1e+300' of 2330 on "
               "2023-01-03 is too large");
}

TEST_F(PriceReadTest, NotANumberIsRefusedInEveryMode) {
  for (const Mode mode : {Mode::kDefault, Mode::kCompatV1, Mode::kCompatV2}) {
    options_.mode = mode;
    const auto result = read_columns({"date", arrow::date32(), "[19360]"},
                                     {"close_price", arrow::float64(), "[NaN]"});
    EXPECT_PRED2(contains, message_of(result), "row group 0, row 0: close 'nan' of 2330");
  }
}

TEST_F(PriceReadTest, ARowWithoutSymbolOrDateIsRefusedInEveryMode) {
  for (const Mode mode : {Mode::kDefault, Mode::kCompatV1, Mode::kCompatV2}) {
    options_.mode = mode;
    EXPECT_PRED2(contains, csv_error("2330,2023-01-03,5\n,2023-01-03,5\n"),
                 "prices.csv: row 3: there is no symbol");
    EXPECT_PRED2(contains, csv_error("2330,2023-01-03,5\n2330,,5\n"),
                 "prices.csv: row 3: '' is no date");
    const auto null_date =
        read_columns({"date", arrow::date32(), "[null]"}, {"close_price", arrow::int32(), "[1]"});
    EXPECT_PRED2(contains, message_of(null_date), "row group 0, row 0: there is no date");
    const auto null_symbol = read_columns({"date", arrow::date32(), "[19360]"},
                                          {"close_price", arrow::int32(), "[1]"}, "[null]");
    EXPECT_PRED2(contains, message_of(null_symbol), "row group 0, row 0: there is no symbol");
  }
}

TEST_F(PriceReadTest, ADateThatIsNoneIsRefused) {
  for (const std::string text :
       {"2023-02-30", "03/01/2023", "2023-01-03 08:00:00", "20230103", "2023-1-3"}) {
    EXPECT_PRED2(contains, csv_error("2330," + text + ",5\n"),
                 "prices.csv: row 2: '" + text + "' is no date; write it as YYYY-MM-DD");
  }
  const auto far = read_columns({"date", arrow::date32(), "[2000000000]"},
                                {"close_price", arrow::int32(), "[1]"});
  EXPECT_PRED2(contains, message_of(far), "outside the years 0000 to 9999");
}

TEST_F(PriceReadTest, ASymbolThatIsNotUtf8IsRefused) {
  EXPECT_PRED2(contains, csv_error("2330,2023-01-03,5\n\xA5\x78,2023-01-03,5\n"),
               "prices.csv: row 3: the symbol is no UTF-8 text");
}

TEST_F(PriceReadTest, TwoDifferentClosesOfOneDayAreRefusedNamingBoth) {
  const auto result = read_csv("2330,2023-01-03,500\n0050,2023-01-03,1\n2330,2023-01-03,501.5\n");
  EXPECT_PRED2(contains, message_of(result),
               "prices.csv: 2330 has two closes on 2023-01-03: 500 (row 2) and 501.5 "
               "(row 4); remove the wrong row");
  EXPECT_PRED2(contains,
               csv_error("A,2023-01-03,1\nA,2023-01-03,2\nB,2023-01-03,1\nB,2023-01-03,2\n"),
               "1 more such pairs follow");
}

TEST_F(PriceReadTest, EqualRepetitionsCountOnceAndARowWithoutCloseContradictsNothing) {
  const auto result = read_csv(
      "2330,2023-01-03,500\n2330,2023-01-03,500.0\n0050,2023-01-03,\n0050,2023-01-03,110\n"
      "0050,2023-01-03,0\n");
  EXPECT_EQ(lines(result), (Lines{"0050 2023-01-03 110", "2330 2023-01-03 500"}));
  ASSERT_TRUE(result);
  EXPECT_EQ(result->counts.at("rows_read"), 5U);
  EXPECT_EQ(result->counts.at("rows_repeated"), 3U);
}

TEST_F(PriceReadTest, InCompatModesTheLaterRowCounts) {
  const std::string_view rows =
      "2603,2023-01-03,1\n2603,2023-01-03,2\n0050,2023-01-03,5\n0050,2023-01-03,\n";
  options_.mode = Mode::kCompatV1;
  EXPECT_EQ(lines(read_csv(rows)), (Lines{"0050 2023-01-03 null", "2603 2023-01-03 2"}));
  // The later reference drops null closes before it looks for the last row.
  options_.mode = Mode::kCompatV2;
  EXPECT_EQ(lines(read_csv(rows)), (Lines{"0050 2023-01-03 5", "2603 2023-01-03 2"}));
}

TEST_F(PriceReadTest, SinceLeavesEarlierRowsOutUnchecked) {
  options_.since = parse_day("2023-01-04");
  const auto result =
      read_csv(",2023-01-03,-1\n2330,2023-01-03,1\n2330,2023-01-04,2\n2330,2023-01-05,3\n");
  EXPECT_EQ(lines(result), (Lines{"2330 2023-01-04 2", "2330 2023-01-05 3"}));
  ASSERT_TRUE(result);
  EXPECT_EQ(result->counts.at("rows_before_since"), 2U);
}

TEST_F(PriceReadTest, NoRowOrNoCloseAtAllIsWrongData) {
  EXPECT_PRED2(contains, csv_error(""), "prices.csv: there is no row");
  EXPECT_PRED2(contains, csv_error("2330,2023-01-03,\n0050,2023-01-03,0\n"),
               "prices.csv: no row has a close");
  options_.since = parse_day("2024-01-01");
  EXPECT_PRED2(contains, csv_error("2330,2023-01-03,1\n"), "no row on or after 2024-01-01");
}

TEST_F(PriceReadTest, ManyRowsOfSeveralRowGroupsAreAllRead) {
  constexpr int kSymbols = 40;
  constexpr int kDays = 5000;
  std::string symbols;
  std::string dates;
  std::string closes;
  for (int symbol = 0; symbol < kSymbols; ++symbol) {
    for (int day = 0; day < kDays; ++day) {
      const char* comma = symbols.empty() ? "" : ",";
      symbols += fmt::format("{}\"S{:02}\"", comma, symbol);
      dates += fmt::format("{}{}", comma, 10000 + day);
      closes += fmt::format("{}{}", comma, symbol * kDays + day + 1);
    }
  }
  const auto file = write_parquet("prices.parquet",
                                  {{"symbol_id", arrow::utf8(), "[" + symbols + "]"},
                                   {"date", arrow::date32(), "[" + dates + "]"},
                                   {"close_price", arrow::float64(), "[" + closes + "]"}},
                                  70'000);
  const auto result = read(file);
  ASSERT_TRUE(result) << message_of(result);
  EXPECT_EQ(result->table->num_rows(), kSymbols * kDays);
  const PriceSeries& last = result->prices.of("S39");
  ASSERT_EQ(last.close.size(), size_t{kDays});
  EXPECT_EQ(last.close.back(), double{kSymbols * kDays});
}

class SyncTest : public PriceReadTest {
 protected:
  Status sync(std::string_view lines) {
    SyncOptions options;
    options.prices = options_;
    options.prices.source =
        write_text("prices.csv", std::string(kHeader) + std::string(lines)).string();
    options.data_dir = path("data");
    return sync_prices(options, budget());
  }

  /// A generation with a daily_summary table, as `etl` would leave it.
  void publish_summary(const std::string& mode, const std::string& amounts) {
    auto writer = GenerationWriter::begin(path("data"), {});
    ASSERT_TRUE(writer) << message_of(writer);
    const std::string content = "content";
    ASSERT_TRUE(writer->add_file("daily_summary", "daily_summary/2330.parquet",
                                 std::as_bytes(std::span(content)), 1));
    ASSERT_TRUE(writer->describe_table("daily_summary", {{"amounts", amounts}}, {}, {}));
    const auto status = writer->publish(mode, {});
    ASSERT_TRUE(status) << message_of(status);
  }

  Manifest manifest() { return GenerationReader::open(path("data")).value().manifest(); }
};

TEST_F(SyncTest, TheClosesArePublishedWithTheModeInTheFile) {
  const auto status = sync("2330,2023-01-03,500\n0050,2023-01-03,\n");
  ASSERT_TRUE(status) << message_of(status);
  const auto file = path("data") / "price/close_prices.parquet";
  const auto prices = load_close_prices(file, budget().pool());
  ASSERT_TRUE(prices) << message_of(prices);
  EXPECT_EQ(prices->of("2330").close, std::vector{500.0});
  const auto info = read_parquet_info(file, budget().pool());
  ASSERT_TRUE(info) << message_of(info);
  EXPECT_EQ(info->metadata.at("tapeworks.mode"), "default");
  EXPECT_EQ(info->schema->ToString(/*show_metadata=*/false),
            "symbol_id: string\ndate: date32[day]\nclose_price: float");
  EXPECT_EQ(manifest().tables.at("price").options.at("amounts"), "float32");
  EXPECT_EQ(manifest().tables.at("price").row_count(), 2U);
  EXPECT_EQ(manifest().mode, "default");
}

TEST_F(SyncTest, OtherTablesStayAndDecideTheWidth) {
  publish_summary("default", "float64");
  ASSERT_TRUE(sync("2330,2023-01-03,10.1\n"));
  EXPECT_EQ(manifest().tables.at("price").options.at("amounts"), "float64");
  EXPECT_TRUE(std::filesystem::exists(path("data") / "daily_summary/2330.parquet"));
  const auto prices =
      load_close_prices(path("data") / "price/close_prices.parquet", budget().pool());
  ASSERT_TRUE(prices);
  EXPECT_EQ(prices->of("2330").close, std::vector{10.1});
}

TEST_F(SyncTest, AModeThatContradictsOtherTablesIsAUsageError) {
  publish_summary("v1", "float32");
  const auto status = sync("2330,2023-01-03,500\n");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kInvalidArgument);
  EXPECT_PRED2(contains, status.error().message, "daily_summary was made in mode 'v1'");
  EXPECT_EQ(manifest().find("price"), nullptr);
}

TEST_F(SyncTest, AloneThePricesMayChangeTheMode) {
  ASSERT_TRUE(sync("2330,2023-01-03,500\n"));
  options_.mode = Mode::kCompatV2;
  ASSERT_TRUE(sync("2330,2023-01-03,0\n2330,2023-01-04,1\n"));
  EXPECT_EQ(manifest().mode, "v2");
}

TEST_F(SyncTest, WrongDataLeavesTheOldGenerationAndNothingElse) {
  ASSERT_TRUE(sync("2330,2023-01-03,500\n"));
  const std::string before = manifest().to_text();
  const auto status = sync("2330,2023-01-03,x\n");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(manifest().to_text(), before);
  for (const auto& entry : std::filesystem::directory_iterator(path("data.generations"))) {
    const std::string name = entry.path().filename().string();
    EXPECT_TRUE(name == "lock" || name == "000001") << name;
  }
}

TEST_F(SyncTest, AFirstRunThatFailsLeavesNothing) {
  ASSERT_FALSE(sync("2330,2023-01-03,x\n"));
  EXPECT_FALSE(std::filesystem::exists(path("data")));
  EXPECT_FALSE(std::filesystem::exists(path("data.generations")));
}

}  // namespace
}  // namespace tapeworks
