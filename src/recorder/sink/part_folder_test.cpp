#include "recorder/sink/part_folder.h"

#include "recorder/sink/row_encoder.h"
#include "recorder/sink/sink_test_support.h"

namespace tapeworks::recorder {
namespace {

class PartFolderTest : public testing::Test {
 protected:
  PartFolder open() {
    auto parts = PartFolder::open(folder_, nullptr);
    EXPECT_TRUE(parts) << parts.error().message;
    return std::move(*parts);
  }
  std::shared_ptr<arrow::Table> one_row(uint64_t lsn) {
    ChunkPool chunks;
    RowBuffer buffer(TableKind::kInstruments, chunks);
    RowEncoder encoder;
    encoder.put(lsn);
    encoder.put(int32_t{0});
    encoder.put(int64_t{5});
    for (int i = 0; i < 6; ++i) encoder.null();
    buffer.append(encoder.finish(), lsn, 0);
    return buffer.to_table(arrow::default_memory_pool()).value();
  }
  Status write(PartFolder& parts, const std::string& partition, uint64_t lsn) {
    return parts.write(partition, TableKind::kInstruments, {lsn, lsn}, *one_row(lsn), writer_);
  }

  ScratchFolder scratch_ = make_scratch();
  std::filesystem::path folder_ = scratch_.path() / "parts";
  ParquetStreamWriter writer_{arrow::default_memory_pool()};
};

TEST_F(PartFolderTest, NamesAloneSayHowFarEachPartitionHasCome) {
  PartFolder parts = open();
  ASSERT_TRUE(write(parts, "x/a", 10));
  ASSERT_TRUE(write(parts, "x/b", 11));
  ASSERT_TRUE(write(parts, "x/a", 12));
  EXPECT_FALSE(write(parts, "x/a", 12)) << "the same rows again";
  ASSERT_TRUE(parts.sync());

  PartFolder again = open();
  EXPECT_EQ(again.part_count(), 3U);
  EXPECT_EQ(again.highest_lsn(), 12U);
  ASSERT_EQ(again.parts_of("x/a").size(), 2U);
  EXPECT_EQ(again.parts_of("x/a")[1].first_lsn, 12U);
  EXPECT_TRUE(again.parts_of("x/c").empty());
  const auto info =
      read_parquet_info(again.path_of("x/b", {11, 11}), arrow::default_memory_pool()).value();
  EXPECT_EQ(info.metadata.at(kPartitionKey), "x/b");

  ASSERT_TRUE(again.remove_through("x/a", 11));
  EXPECT_EQ(again.part_count(), 2U);
  EXPECT_EQ(open().parts_of("x/a").size(), 1U);
}

TEST_F(PartFolderTest, WhatIsUnfinishedIsSetAsideAndNeverDeleted) {
  open();
  ASSERT_TRUE(write_synced_file(folder_ / "merge.unfinished", "one"));
  ASSERT_TRUE(write_synced_file(folder_ / "BTC_12_inprogress", "two"));
  ASSERT_TRUE(write_synced_file(folder_ / "a note.txt", "a person's"));
  open();
  ASSERT_TRUE(write_synced_file(folder_ / "merge.unfinished", "three"));
  open();
  const auto aside = folder_ / "set_aside";
  EXPECT_EQ(read_text_file(aside / "merge.unfinished").value(), "one");
  EXPECT_EQ(read_text_file(aside / "merge.unfinished.2").value(), "three");
  EXPECT_EQ(read_text_file(aside / "BTC_12_inprogress").value(), "two");
  EXPECT_EQ(read_text_file(folder_ / "a note.txt").value(), "a person's");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "merge.unfinished"));
}

TEST_F(PartFolderTest, PartsThatOverlapAreRefused) {
  PartFolder parts = open();
  ASSERT_TRUE(write(parts, "x/a", 10));
  const auto path = parts.path_of("x/a", {10, 10});
  std::filesystem::copy_file(path, parts.path_of("x/a", {9, 11}));
  const auto opened = PartFolder::open(folder_, nullptr);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace tapeworks::recorder
