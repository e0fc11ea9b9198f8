#include "storage/manifest.h"

#include <gtest/gtest.h>

namespace tapeworks {
namespace {

Table small_table(uint64_t xxh3) {
  Table table;
  table.options = {{"amounts", "float32"}};
  table.files = {{"a/1.parquet", 3, 40, xxh3}, {"a/2.parquet", 5, 60, 0xffffffffffffffff}};
  return table;
}

/// left and right are made from nothing, joined from both, top from joined.
Manifest chain_of_tables() {
  Manifest manifest;
  manifest.mode = "default";
  manifest.tables["left"] = small_table(1);
  manifest.tables["right"] = small_table(2);
  Table joined = small_table(3);
  joined.made_from = {{"left", manifest.tables["left"].fingerprint()},
                      {"right", manifest.tables["right"].fingerprint()}};
  manifest.tables["joined"] = joined;
  Table top = small_table(4);
  top.made_from = {{"joined", joined.fingerprint()}};
  manifest.tables["top"] = top;
  return manifest;
}

using Names = std::vector<std::string>;

TEST(Manifest, TextIsExactlyThis) {
  Manifest manifest;
  manifest.mode = "v1";
  Table table;
  table.options = {{"amounts", "float32"}};
  table.made_from = {{"b", "00000000000000aa"}};
  table.counts = {{"dropped", 7}};
  table.files = {{"a/1.parquet", 3, 40, 0x1f}};
  manifest.tables["a"] = table;
  EXPECT_EQ(manifest.to_text(), R"({
  "format": 1,
  "mode": "v1",
  "tables": {
    "a": {
      "fingerprint": ")" + table.fingerprint() +
                                    R"(",
      "options": {
        "amounts": "float32"
      },
      "made_from": {
        "b": "00000000000000aa"
      },
      "counts": {
        "dropped": 7
      },
      "files": [
        {
          "path": "a/1.parquet",
          "rows": 3,
          "bytes": 40,
          "xxh3": "000000000000001f"
        }
      ]
    }
  }
}
)");
}

TEST(Manifest, TextReadsBackAsItWas) {
  Manifest manifest = chain_of_tables();
  manifest.tables["left"].counts = {{"dropped", 18446744073709551615u}};
  manifest.tables["empty"] = {};
  const auto parsed = Manifest::parse(manifest.to_text(), "here");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->to_text(), manifest.to_text());
  EXPECT_EQ(parsed->tables.at("joined").made_from, manifest.tables["joined"].made_from);
  EXPECT_EQ(parsed->tables.at("left").counts, manifest.tables["left"].counts);
}

TEST(Manifest, PathThatIsNoUtf8ReadsBack) {
  Manifest manifest;
  manifest.tables["a"].files = {{"a/\xff\xfe.parquet", 1, 2, 3}};
  const auto parsed = Manifest::parse(manifest.to_text(), "here");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->tables.at("a").files.at(0).path, "a/\xff\xfe.parquet");
}

TEST(Manifest, UnknownFormatIsRefusedWithBothNumbers) {
  std::string text = chain_of_tables().to_text();
  text.replace(text.find("\"format\": 1"), 11, "\"format\": 2");
  const auto parsed = Manifest::parse(text, "here/manifest.json");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(
      parsed.error().message,
      "here/manifest.json: its format is 2, and this tapeworks knows 1; use a matching version");
}

TEST(Manifest, EveryTruncationIsRefused) {
  const std::string text = chain_of_tables().to_text();
  for (size_t size = 0; size + 2 < text.size(); ++size) {
    const auto parsed = Manifest::parse(text.substr(0, size), "here");
    ASSERT_FALSE(parsed) << "at " << size;
    EXPECT_EQ(parsed.error().kind, ErrorKind::kCorrupt);
  }
}

TEST(Manifest, ChangedChecksumIsSeen) {
  std::string text = chain_of_tables().to_text();
  text.replace(text.find("ffffffffffffffff"), 1, "e");
  const auto parsed = Manifest::parse(text, "here");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().kind, ErrorKind::kCorrupt);
}

TEST(Manifest, PathThatLeadsOutIsRefused) {
  for (const char* path : {"../a", "/a", "a/../../b", "a//b", "./a", "a/", ""}) {
    Manifest manifest;
    manifest.tables["a"].files = {{path, 1, 2, 3}};
    EXPECT_FALSE(Manifest::parse(manifest.to_text(), "here")) << path;
  }
}

TEST(Fingerprint, DependsOnOptionsPathsRowsAndChecksums) {
  const Table table = small_table(1);
  Table other = table;
  other.options["amounts"] = "float64";
  EXPECT_NE(other.fingerprint(), table.fingerprint());
  other = table;
  other.files[0].path = "a/3.parquet";
  EXPECT_NE(other.fingerprint(), table.fingerprint());
  other = table;
  other.files[1].row_count += 1;
  EXPECT_NE(other.fingerprint(), table.fingerprint());
  other = table;
  other.files[1].xxh3 ^= 1;
  EXPECT_NE(other.fingerprint(), table.fingerprint());
}

TEST(Fingerprint, DoesNotDependOnCountsAndOrigins) {
  Table other = small_table(1);
  other.counts["dropped"] = 3;
  other.made_from["b"] = "0";
  EXPECT_EQ(other.fingerprint(), small_table(1).fingerprint());
}

TEST(Fingerprint, TellsApartTextsThatJoinToTheSame) {
  Table one;
  one.options = {{"ab", "c"}};
  Table two;
  two.options = {{"a", "bc"}};
  EXPECT_NE(one.fingerprint(), two.fingerprint());
}

TEST(StaleSources, NoneWhenNothingChanged) {
  const Manifest manifest = chain_of_tables();
  EXPECT_EQ(manifest.stale_sources("joined"), Names{});
  EXPECT_TRUE(manifest.consistent());
}

TEST(StaleSources, NamesTheChangedTable) {
  Manifest manifest = chain_of_tables();
  manifest.tables["right"].files[0].xxh3 ^= 1;
  EXPECT_EQ(manifest.stale_sources("joined"), Names{"right"});
  EXPECT_EQ(manifest.stale_sources("left"), Names{});
  EXPECT_FALSE(manifest.consistent());
}

TEST(StaleSources, NamesTheTableThatIsGone) {
  Manifest manifest = chain_of_tables();
  manifest.tables.erase("left");
  EXPECT_EQ(manifest.stale_sources("joined"), Names{"left"});
}

TEST(StaleSources, SeesAChangeBehindAnUnchangedTable) {
  Manifest manifest = chain_of_tables();
  manifest.tables["right"].files[0].xxh3 ^= 1;
  EXPECT_EQ(manifest.stale_sources("top"), Names{"right"});
}

TEST(StaleSources, TablesMadeFromEachOtherEnd) {
  Manifest manifest;
  manifest.tables["a"].made_from = {{"b", "0"}};
  manifest.tables["b"].made_from = {{"a", "0"}};
  EXPECT_EQ(manifest.stale_sources("a"), (Names{"a", "b"}));
}

TEST(StaleSources, TableThatDoesNotExistHasNone) {
  EXPECT_EQ(chain_of_tables().stale_sources("nothing"), Names{});
}

}  // namespace
}  // namespace tapeworks
