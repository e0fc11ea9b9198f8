#include "pipeline/input_index.h"

#include <gtest/gtest.h>

namespace tapeworks {
namespace {

InputIndex some_index() {
  RowGroupFacts known;
  known.xxh3 = 0xfedcba9876543210U;
  known.row_count = 300;
  known.problems.fill(200);
  known.days = {Day{-3}, Day{19358}, Day{19359}};
  known.names = {{.broker = 1, .day = Day{19358}, .name = 0}};
  RowGroupFacts unhashed;
  unhashed.days = {Day{1}};
  InputIndex index;
  index.options = "mode=default";
  index.summary_fingerprint = "00ff00ff00ff00ff";
  index.brokers = {"", "1440"};
  index.names = {"凱基"};
  index.files = {{"/in/a.parquet", {1000, -5, 1'700'000'000'000'000'000, 77}, {known, unhashed}},
                 {"/in/b\xff.parquet", {0, 0, 0, 0}, {}}};
  return index;
}

TEST(InputIndex, ReadsBackAsWritten) {
  const std::string bytes = encode_index(some_index());
  const auto index = decode_index(bytes, "index");
  ASSERT_TRUE(index) << index.error().message;
  ASSERT_EQ(index->files.size(), 2U);
  EXPECT_EQ(index->files[0].stamp, some_index().files[0].stamp);
  ASSERT_EQ(index->files[0].row_groups.size(), 2U);
  const RowGroupFacts& facts = index->files[0].row_groups[0];
  EXPECT_TRUE(facts.is_known);
  EXPECT_EQ(facts.days, some_index().files[0].row_groups[0].days);
  EXPECT_EQ(facts.names[0].day, Day{19358});
  EXPECT_FALSE(index->files[0].row_groups[1].xxh3);
  // All of it, since the same bytes come out again.
  EXPECT_EQ(encode_index(*index), bytes);
}

TEST(InputIndex, HasTheBytesOfItsFormatPage) {
  InputIndex index;
  index.options = "o";
  index.files = {{"f", {300, -1, 1, 2}, {}}};
  const std::string bytes = encode_index(index);
  // Magic; "o"; ""; no brokers; no names; one file: its path, size, two times, footer, no groups.
  const std::string body("TWINDEX1\1o\0\0\0\1\1f\xac\2\1\2\2\0\0\0\0\0\0\0\0", 29);
  EXPECT_EQ(bytes.substr(0, bytes.size() - 8), body);
}

TEST(InputIndex, EveryFlippedOrMissingByteIsFound) {
  const std::string bytes = encode_index(some_index());
  for (size_t at = 0; at < bytes.size(); ++at) {
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x41);
    const auto index = decode_index(flipped, "index");
    ASSERT_FALSE(index) << at;
    EXPECT_EQ(index.error().kind, ErrorKind::kCorrupt);
    EXPECT_FALSE(decode_index(std::string_view(bytes).substr(0, at), "index")) << at;
  }
}

}  // namespace
}  // namespace tapeworks
