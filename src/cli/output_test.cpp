#include "cli/output.h"

#include <limits>
#include <optional>
#include <utility>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/io/memory.h>
#include <arrow/table.h>
#include <gtest/gtest.h>
#include <parquet/arrow/reader.h>

#include "base/nearest_name.h"
#include "cli/table_text.h"

namespace tapeworks {
namespace {

template <typename Builder, typename Value>
std::shared_ptr<arrow::Array> array_of(const std::vector<std::optional<Value>>& values) {
  Builder builder;
  for (const auto& value : values) {
    EXPECT_TRUE((value ? builder.Append(*value) : builder.AppendNull()).ok());
  }
  return builder.Finish().ValueOrDie();
}

std::shared_ptr<arrow::Array> doubles(const std::vector<std::optional<double>>& values) {
  return array_of<arrow::DoubleBuilder>(values);
}

std::shared_ptr<arrow::Array> texts(const std::vector<std::optional<std::string>>& values) {
  return array_of<arrow::StringBuilder>(values);
}

std::shared_ptr<arrow::Table> table_of(
    const std::vector<std::pair<std::string, std::shared_ptr<arrow::Array>>>& columns) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const auto& [name, array] : columns) {
    fields.push_back(arrow::field(name, array->type()));
    arrays.push_back(array);
  }
  return arrow::Table::Make(arrow::schema(fields), arrays);
}

std::shared_ptr<arrow::Table> two_brokers() {
  return table_of({{"rank", array_of<arrow::UInt32Builder, uint32_t>({1, 1200})},
                   {"broker", texts({"9A00", "116b"})},
                   {"name", texts({"元大", ""})},
                   {"total_pnl", doubles({1234567.25, -0.5})},
                   {"day", array_of<arrow::Date32Builder, int32_t>({19358, std::nullopt})}});
}

std::string render(const arrow::Table& table, OutputFormat format, const TableNotes& notes = {},
                   size_t line_width_max = 0) {
  const auto text = render_table(table, format, notes, line_width_max, false);
  EXPECT_TRUE(text.has_value());
  return text.value_or("");
}

TEST(Output, TableIsAlignedByDisplayWidthWithThousandsSeparators) {
  EXPECT_EQ(render(*two_brokers(), OutputFormat::kTable, {.footnotes = {"Below."}}),
            " rank  broker  name  total_pnl  day\n"
            "    1  9A00    元大  1,234,567  2023-01-01\n"
            "1,200  116b                  0\n"
            "\n"
            "Below.\n");
}

TEST(Output, TableLeavesOutColumnsThatDoNotFitAndNamesThem) {
  EXPECT_EQ(render(*two_brokers(), OutputFormat::kTable, {}, 20),
            " rank  broker  name\n"
            "    1  9A00    元大\n"
            "1,200  116b\n"
            "Not shown, the terminal is too narrow: total_pnl, day\n");
}

TEST(Output, SingleThingIsOneLineAField) {
  EXPECT_EQ(render(*two_brokers()->Slice(1), OutputFormat::kTable,
                   {.footnotes = {}, .single_thing = true}),
            "rank       1,200\n"
            "broker     116b\n"
            "name\n"
            "total_pnl  -0.5000\n"
            "day\n");
}

TEST(Output, JsonAndJsonLinesHaveTheSameObjects) {
  const std::string first =
      R"({"rank":1,"broker":"9A00","name":"元大","total_pnl":1234567.25,"day":"2023-01-01"})";
  const std::string second =
      R"({"rank":1200,"broker":"116b","name":"","total_pnl":-0.5,"day":null})";
  EXPECT_EQ(render(*two_brokers(), OutputFormat::kJsonl), first + "\n" + second + "\n");
  EXPECT_EQ(render(*two_brokers(), OutputFormat::kJson), "[" + first + ",\n " + second + "]\n");
}

TEST(Output, JsonHasNullForNumbersItCannotCarryAndShortestTextForOthers) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const auto table =
      table_of({{"x", doubles({nan, infinity, -infinity, 0.1, 3.0, -0.0, 1e300, 2.0 / 3})}});
  EXPECT_EQ(render(*table, OutputFormat::kJsonl),
            "{\"x\":null}\n{\"x\":null}\n{\"x\":null}\n{\"x\":0.1}\n{\"x\":3.0}\n{\"x\":-0.0}\n"
            "{\"x\":1e+300}\n{\"x\":0.6666666666666666}\n");
}

TEST(Output, JsonEscapesTextAndReplacesBytesThatAreNoUtf8) {
  const auto table = table_of({{"a\"b", texts({"tab\there", "\xFF"})}});
  EXPECT_EQ(render(*table, OutputFormat::kJsonl),
            "{\"a\\\"b\":\"tab\\there\"}\n{\"a\\\"b\":\"\xEF\xBF\xBD\"}\n");
}

TEST(Output, CsvQuotesWhatNeedsItAndTellsEmptyFromNull) {
  const auto table = table_of({{"name", texts({"a,b", "say \"x\"", "", std::nullopt, "plain"})},
                               {"x", doubles({1.5, std::nullopt, 2.0, 0.1, 1e-7})}});
  EXPECT_EQ(render(*table, OutputFormat::kCsv),
            "name,x\n\"a,b\",1.5\n\"say \"\"x\"\"\",\n\"\",2.0\n,0.1\nplain,1e-07\n");
}

TEST(Output, TableWithoutRowsIsItsHeaderOrNothing) {
  const auto table = two_brokers()->Slice(0, 0);
  EXPECT_EQ(render(*table, OutputFormat::kCsv), "rank,broker,name,total_pnl,day\n");
  EXPECT_EQ(render(*table, OutputFormat::kJson), "[]\n");
  EXPECT_EQ(render(*table, OutputFormat::kJsonl), "");
  EXPECT_EQ(render(*table, OutputFormat::kTable), "rank  broker  name  total_pnl  day\n");
}

TEST(Output, ParquetReadsBackAsTheSameTable) {
  const std::string bytes = render(*two_brokers(), OutputFormat::kParquet);
  auto reader = parquet::arrow::OpenFile(
      std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(bytes)),
      arrow::default_memory_pool());
  ASSERT_TRUE(reader.ok());
  const auto table = (*reader)->ReadTable();
  ASSERT_TRUE(table.ok());
  EXPECT_TRUE((*table)->Equals(*two_brokers()));
}

TEST(Output, RecordsBecomeATableWithTheTypesOfAllTheirValues) {
  const auto table = table_of_records(
      {{{"n", 1}, {"x", 1}, {"t", "a"}, {"b", true}}, {{"n", nullptr}, {"x", 2.5}, {"t", "c"}}});
  ASSERT_TRUE(table.has_value());
  EXPECT_EQ(render(**table, OutputFormat::kJsonl),
            "{\"n\":1,\"x\":1.0,\"t\":\"a\",\"b\":true}\n"
            "{\"n\":null,\"x\":2.5,\"t\":\"c\",\"b\":null}\n");
}

TEST(Output, ControlCharactersCannotTearATableApart) {
  const auto table = table_of({{"name", texts({"a\nb\x1b[31m"})}});
  EXPECT_EQ(render(*table, OutputFormat::kTable), "name\na?b?[31m\n");
}

TEST(DisplayWidth, CountsWideAsTwoAndBytesThatAreNoUtf8AsOne) {
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("凱基台北"), 8U);
  EXPECT_EQ(display_width("e\xCC\x81"), 1U);
  EXPECT_EQ(display_width("\xE5\x85"), 2U);
  EXPECT_EQ(display_width(""), 0U);
}

TEST(NearestName, FindsTheSlipOfAFingerAndNothingElse) {
  const std::vector<std::string> names{"ranking", "rolling", "run", "pnl"};
  EXPECT_EQ(nearest_name("rnaking", names), "ranking");
  EXPECT_EQ(nearest_name("RANKING", names), "ranking");
  EXPECT_EQ(nearest_name("frobnicate", names), "");
  EXPECT_EQ(nearest_name("", names), "");
}

}  // namespace
}  // namespace tapeworks
