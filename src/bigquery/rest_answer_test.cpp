#include "bigquery/rest_answer.h"

#include <gtest/gtest.h>

namespace tapeworks::bigquery {
namespace {

std::string error_of(const std::string& json) {
  const auto answer = RestAnswer::parse(json);
  EXPECT_FALSE(answer) << json;
  return answer ? "" : answer.error().message;
}

TEST(RestAnswer, FactsAreFoundByTheirPath) {
  const auto answer = RestAnswer::parse(
      R"({"jobComplete": true, "jobReference": {"jobId": "j\u00e9\n", "location": null},
          "schema": {"fields": [{"name": "a", "type": "STRING"}, {"name": "b"}]},
          "totalRows": "12", "n": -1.50, "rows2": [[1, 2], [3]]})");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->fact("jobComplete"), "true");
  EXPECT_EQ(answer->fact("jobReference/jobId"), "jé\n");
  EXPECT_EQ(answer->fact("jobReference/location"), "");
  EXPECT_EQ(answer->fact("schema/fields/0/type"), "STRING");
  EXPECT_EQ(answer->fact("schema/fields/1/name"), "b");
  EXPECT_EQ(answer->fact("n"), "-1.50");
  EXPECT_EQ(answer->fact("rows2/1/0"), "3");
  EXPECT_EQ(answer->fact("nothing"), "");
  EXPECT_EQ(answer->row_count(), 0U);
}

TEST(RestAnswer, RowsMayComeBeforeTheirSchema) {
  const auto answer = RestAnswer::parse(
      R"({"rows": [{"f": [{"v": "2330"}, {"v": null}, {"v": [{"v": "x"}, {"v": {"f": []}}]}]},
                   {"f": [{"v": "a\"b"}, {"v": 1e3}, {"v": true}]}], "pageToken": "t"})");
  ASSERT_TRUE(answer) << answer.error().message;
  ASSERT_EQ(answer->row_count(), 2U);
  ASSERT_EQ(answer->column_count(), 3U);
  EXPECT_EQ(answer->row(0)[0].view(), "2330");
  EXPECT_EQ(answer->row(0)[1].kind, CellKind::kNull);
  EXPECT_EQ(answer->row(0)[2].kind, CellKind::kNested);
  EXPECT_EQ(answer->row(1)[0].view(), "a\"b");
  EXPECT_EQ(answer->row(1)[1].view(), "1e3");
  EXPECT_EQ(answer->row(1)[2].view(), "true");
  EXPECT_EQ(answer->fact("pageToken"), "t");
}

TEST(RestAnswer, RowsOfAnotherFormAreRefused) {
  for (const char* rows :
       {R"([1])", R"([[{"v": 1}]])", R"([{"g": []}])", R"([{"f": {"v": 1}}])", R"([{"f": [1]}])",
        R"([{"f": [{"w": 1}]}])", R"([{"f": [{}]}])", R"([{"f": [{"v": 1, "v": 2}]}])"}) {
    EXPECT_NE(error_of(fmt::format(R"({{"rows": {}}})", rows)).find("form f, v"), std::string::npos)
        << rows;
  }
  for (const char* rows : {R"([{"f": []}])", R"([{}])", R"([{"f": [{"v": 1}]}, {"f": []}])",
                           R"([{"f": [{"v": 1}]}, {"f": [{"v": 1}, {"v": 2}]}])"}) {
    EXPECT_NE(error_of(fmt::format(R"({{"rows": {}}})", rows)).find("unequal"), std::string::npos)
        << rows;
  }
}

TEST(RestAnswer, MemoryForCellsIsKnownBefore) {
  constexpr size_t kRowCount = 500;
  for (const size_t column_count : {1, 2, 100}) {
    std::string row = R"({"f":[)";
    for (size_t i = 0; i < column_count; ++i) row += i == 0 ? R"({"v":1})" : R"(,{"v":1})";
    row += "]}";
    std::string json = R"({"rows":[)";
    for (size_t i = 0; i < kRowCount; ++i) json += i == 0 ? row : "," + row;
    json += "]}";
    const uint64_t bytes_max = RestAnswer::cell_bytes_max(json);
    EXPECT_LE(bytes_max, 2 * json.size());
    const auto answer = RestAnswer::parse(json);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_LE(answer->row_count() * column_count * sizeof(Cell), bytes_max);
  }
  const std::string braces(10'000, '{');
  EXPECT_LE(RestAnswer::cell_bytes_max(braces), 2 * braces.size());
}

TEST(RestAnswer, WhatIsNoObjectIsRefused) {
  for (const char* json : {"", "[]", "1", "null", "{", "{} {}", "<html>", R"({"a": "\xff"})"}) {
    EXPECT_NE(error_of(json).find("cannot be read"), std::string::npos) << json;
  }
}

TEST(RestAnswer, HostileAnswersHitALimit) {
  std::string deep = R"({"a": )";
  for (int i = 0; i < 100'000; ++i) deep += '[';
  EXPECT_NE(error_of(deep).find("deeply"), std::string::npos);
  EXPECT_NE(error_of(R"({")" + std::string(1000, 'k') + R"(": 1})").find("too long"),
            std::string::npos);
  std::string wide = R"({"a": [0)";
  for (size_t i = 0; i < RestAnswer::kFactsMax; ++i) wide += ",0";
  EXPECT_NE(error_of(wide + "]}").find("too many"), std::string::npos);
}

}  // namespace
}  // namespace tapeworks::bigquery
