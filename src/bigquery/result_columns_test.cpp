#include "bigquery/result_columns.h"

#include <cmath>

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <gtest/gtest.h>

namespace tapeworks::bigquery {
namespace {

/// An answer with one column.
RestAnswer answer_of(const std::string& type, const std::string& values,
                     const std::string& mode = "NULLABLE") {
  auto answer = RestAnswer::parse(fmt::format(
      R"({{"schema": {{"fields": [{{"name": "c", "type": "{}", "mode": "{}"}}]}}, "rows": [{}]}})",
      type, mode, values));
  EXPECT_TRUE(answer) << answer.error().message;
  return *std::move(answer);
}

std::string cells(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) {
    text += fmt::format(R"({}{{"f": [{{"v": {}}}]}})", text.empty() ? "" : ", ", value);
  }
  return text;
}

Result<std::shared_ptr<arrow::Array>> column(const std::string& type,
                                             const std::vector<std::string>& values) {
  const RestAnswer answer = answer_of(type, cells(values));
  TW_ASSIGN(const auto schema, columns_of(answer));
  TW_ASSIGN(const auto batch, rows_of(answer, schema, "here", arrow::default_memory_pool()));
  return batch->column(0);
}

/// The values as Arrow prints them.
std::vector<std::string> printed(const std::string& type, const std::vector<std::string>& values) {
  const auto array = column(type, values);
  EXPECT_TRUE(array) << array.error().message;
  std::vector<std::string> texts;
  for (int64_t i = 0; array && i < (*array)->length(); ++i) {
    texts.push_back((*array)->IsNull(i) ? "null" : (*(*array)->GetScalar(i))->ToString());
  }
  return texts;
}

using Texts = std::vector<std::string>;

TEST(ResultColumns, EachTypeBecomesItsArrowType) {
  EXPECT_EQ(printed("STRING", {R"("0050")", "null", R"("")"}), (Texts{"0050", "null", ""}));
  EXPECT_EQ(printed("NUMERIC", {R"("505.500000001")"}), Texts{"505.500000001"});
  EXPECT_EQ(printed("BIGNUMERIC", {R"("0.1234567890123456789012345678901234567")"}),
            Texts{"0.1234567890123456789012345678901234567"});
  EXPECT_EQ(printed("INTEGER", {R"("-5")", "7", "null"}), (Texts{"-5", "7", "null"}));
  EXPECT_EQ(printed("INT64", {R"("9223372036854775807")"}), Texts{"9223372036854775807"});
  EXPECT_EQ(printed("FLOAT", {R"("1.5")", "2.5e-3"}), (Texts{"1.5", "0.0025"}));
  EXPECT_EQ(printed("DATE", {R"("2023-01-03")", "null"}), (Texts{"2023-01-03", "null"}));
  EXPECT_EQ(printed("DATETIME", {R"("2023-01-03T00:00:00")", R"("1969-12-31T23:59:59.25")"}),
            (Texts{"2023-01-03 00:00:00.000000", "1969-12-31 23:59:59.250000"}));
}

TEST(ResultColumns, FloatsMayBeNoNumbers) {
  const auto array = column("FLOAT64", {R"("NaN")", R"("Infinity")", R"("-Infinity")"});
  ASSERT_TRUE(array) << array.error().message;
  const auto& values = static_cast<const arrow::DoubleArray&>(**array);
  EXPECT_TRUE(std::isnan(values.Value(0)));
  EXPECT_EQ(values.Value(1), HUGE_VAL);
  EXPECT_EQ(values.Value(2), -HUGE_VAL);
}

TEST(ResultColumns, InstantsAreMicrosecondsOrSeconds) {
  const Texts expected{"2023-01-02 16:00:00.000000Z", "2023-01-02 16:00:00.000000Z",
                       "2023-01-02 16:00:00.250000Z", "1969-12-31 23:59:59.000000Z"};
  EXPECT_EQ(printed("TIMESTAMP", {R"("1672675200000000")", R"("1.6726752E9")", R"("1672675200.25")",
                                  R"("-1000000")"}),
            expected);
}

TEST(ResultColumns, AValueThatIsNotOfItsTypeNamesTheColumn) {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"INTEGER", R"("1.5")"},
      {"FLOAT", R"("abc")"},
      {"FLOAT", R"("")"},
      {"DATE", R"("2023-02-30")"},
      {"TIMESTAMP", R"("2023-01-03")"},
      {"TIMESTAMP", R"("1e300")"},
      {"TIMESTAMP", R"("nan.")"},
      {"DATETIME", R"("2023-01-03")"},
      {"DATETIME", R"("2023-01-03T24:00:00")"},
      {"DATETIME", R"("2023-01-03T00:00:00.")"},
      {"STRING", R"([{"v": "x"}])"}};
  for (const auto& [type, value] : wrong) {
    const auto array = column(type, {value});
    ASSERT_FALSE(array) << type << value;
    EXPECT_EQ(array.error().kind, ErrorKind::kCorrupt);
    EXPECT_NE(array.error().message.find("here: column 'c'"), std::string::npos);
  }
}

TEST(ResultColumns, TypesWithoutPlainValuesSayWhatTheyAre) {
  for (const auto& [type, mode, name] : {std::tuple{"BYTES", "NULLABLE", "BYTES"},
                                         {"RECORD", "NULLABLE", "RECORD"},
                                         {"BOOLEAN", "REQUIRED", "BOOLEAN"},
                                         {"FLOAT", "REPEATED", "ARRAY<FLOAT>"}}) {
    const RestAnswer answer = answer_of(type, cells({R"("AAA=")"}), mode);
    const auto schema = columns_of(answer);
    ASSERT_TRUE(schema) << schema.error().message;
    EXPECT_EQ((*schema)->field(0)->type()->id(), arrow::Type::NA);
    EXPECT_EQ((*schema)->field(0)->metadata()->Get(kUnreadableTypeKey).ValueOr(""), name);
    const auto batch = rows_of(answer, *schema, "here", arrow::default_memory_pool());
    ASSERT_TRUE(batch) << batch.error().message;
    EXPECT_EQ((*batch)->column(0)->null_count(), 1);
  }
}

TEST(ResultColumns, RowsMustFitTheColumns) {
  const RestAnswer one = answer_of("STRING", cells({R"("x")"}));
  const auto two =
      arrow::schema({arrow::field("a", arrow::utf8()), arrow::field("b", arrow::utf8())});
  EXPECT_FALSE(rows_of(one, two, "here", arrow::default_memory_pool()));
  const auto none = RestAnswer::parse(R"({"rows": []})");
  ASSERT_TRUE(none);
  EXPECT_FALSE(columns_of(*none));
}

}  // namespace
}  // namespace tapeworks::bigquery
