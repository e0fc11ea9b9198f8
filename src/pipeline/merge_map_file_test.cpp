#include "pipeline/merge_map_file.h"

#include <arrow/memory_pool.h>
#include <arrow/table.h>
#include <gtest/gtest.h>

#include "pipeline/pnl_test_support.h"
#include "pipeline/query_test_support.h"

namespace tapeworks {
namespace {

using test::day;
using test::value_of;

std::vector<BrokerMerger> mergers_in(std::string_view text) {
  return value_of(parse_merge_map(text, "map")).mergers();
}

std::string refusal_of(std::string_view text) {
  const auto parsed = parse_merge_map(text, "map");
  if (parsed) return "accepted";
  EXPECT_EQ(parsed.error().kind, ErrorKind::kCorrupt);
  return parsed.error().message;
}

TEST(MergeMapFile, ReadsLinesWithAndWithoutHeading) {
  const std::vector<BrokerMerger> expected{{"5920", "9A00", day("2023-05-31")},
                                           {"9A00", "9B00", day("2024-01-02")}};
  EXPECT_EQ(mergers_in("old\tnew\tdate\n9A00\t9B00\t2024-01-02\n5920\t9A00\t2023-05-31\n"),
            expected);
  EXPECT_EQ(mergers_in("5920\t9A00\t2023-05-31\r\n\r\n9A00\t9B00\t2024-01-02"), expected);
  EXPECT_EQ(mergers_in("\xEF\xBB\xBF"
                       "5920\t9A00\t2023-05-31\n9A00\t9B00\t2024-01-02\n"),
            expected);
}

TEST(MergeMapFile, ReadsAnObject) {
  EXPECT_EQ(mergers_in(R"( {"5920": "9A00", "116b": "116B"})"),
            (std::vector<BrokerMerger>{{"116b", "116B", {}}, {"5920", "9A00", {}}}));
  EXPECT_TRUE(mergers_in("{}").empty());
}

TEST(MergeMapFile, NamesTheLineOfWhatItRefuses) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"A\tB\t2023-01-01\nC D 2023-01-01\n", "map: line 2: 1 instead of 3 fields"},
      {"A\tB\n", "map: line 1: 2 instead of 3 fields"},
      {"A\tB\t2023-02-30\n", "map: line 1: '2023-02-30' is no day"},
      {"old\tnew\tdate\n\nA\tA\t2023-01-01\n", "map: line 3: broker A cannot merge into itself"},
      {"{\"A\": \"B\",\n \"A\": \"C\"}", "map: line 2: broker A stands there twice"},
      {"{\"A\": \"B\",\n\n \"B\": \"A\"}", "map: line 3: broker B merging into A closes a cycle"},
      {"{\"A\":\n 5}", "map: line 2: a number stands where a broker code must"},
      {"{\"A\": [\"B\"]}", "map: line 1: an array stands where"},
      {"{\"A\": {\"B\": \"C\"}}", "map: line 1: an object stands where"},
      {"[\"A\"]", "map: line 1: an array stands where"},
      {"{\"A\": \"B\",\n \"C\"}", "map: line 2: this is no valid JSON"},
      {"{\"A\": \"B\"} x", "map: line 1: this is no valid JSON"},
      {" \n", "map: the map of mergers is empty"},
      {"A\tB\xFF\t2023-01-01\n", "map: the map of mergers is not in UTF-8"},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_TRUE(refusal_of(text).starts_with(message)) << text << "\n-> " << refusal_of(text);
  }
}

TEST(MergeMapFile, MissingFileIsWrongUsage) {
  const auto read = read_merge_map("no/such.tsv");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, ErrorKind::kInvalidArgument);
}

TEST(MergeMapFile, IsTheSameAfterAGenerationKeptIt) {
  auto* pool = arrow::default_memory_pool();
  const auto map = value_of(parse_merge_map("A\tB\t2023-01-01\nB\tC\t2023-05-01\n", "map"));
  const auto for_good = value_of(parse_merge_map(R"({"X": "Y"})", "map"));
  for (const BrokerMergers& mergers : {map, for_good}) {
    test::TestDirectory directory;
    directory.add(kMergeMapTable, kMergeMapFile, *value_of(merge_map_table(mergers, pool)))
        .publish();
    const auto loaded = load_merge_map(directory.path() / kMergeMapFile, pool);
    EXPECT_EQ(value_of(loaded).mergers(), mergers.mergers());
  }
}

}  // namespace
}  // namespace tapeworks
