#include "storage/staged_folder.h"

#include <gtest/gtest.h>

#include "storage/scratch_folder.h"

namespace tapeworks {
namespace {

namespace fs = std::filesystem;

class StagedFolderTest : public testing::Test {
 protected:
  ScratchFolder scratch_ = *ScratchFolder::make({});
  fs::path folder_ = scratch_.path() / "out" / "days";

  static void write(const fs::path& path, std::string_view text) {
    ASSERT_TRUE(write_synced_file(path, text));
  }
};

TEST_F(StagedFolderTest, FilesAppearAtPublishAndReplaceOlderOnes) {
  ASSERT_TRUE(make_folders(folder_));
  write(folder_ / "a", "old");
  auto staged = StagedFolder::begin(folder_, "job");
  ASSERT_TRUE(staged) << staged.error().message;
  write(staged->add_file("a"), "new");
  write(staged->add_file("b"), "other");
  EXPECT_EQ(*read_text_file(folder_ / "a"), "old");
  EXPECT_FALSE(fs::exists(folder_ / "b"));
  ASSERT_TRUE(staged->publish());
  EXPECT_EQ(*read_text_file(folder_ / "a"), "new");
  EXPECT_EQ(*read_text_file(folder_ / "b"), "other");
}

TEST_F(StagedFolderTest, WithoutPublishNothingIsLeftNotEvenTheFolders) {
  {
    auto staged = StagedFolder::begin(folder_, "job");
    ASSERT_TRUE(staged);
    write(staged->add_file("a"), "new");
  }
  EXPECT_FALSE(fs::exists(scratch_.path() / "out"));
  EXPECT_TRUE(fs::exists(scratch_.path()));
}

TEST_F(StagedFolderTest, WithoutPublishAFolderOfOthersStays) {
  ASSERT_TRUE(make_folders(folder_));
  {
    ASSERT_TRUE(StagedFolder::begin(folder_, "job"));
  }
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(StagedFolderTest, WhatAKilledProcessLeftIsRemoved) {
  ASSERT_TRUE(make_folders(folder_ / ".job.partial"));
  write(folder_ / ".job.partial" / "old", "half");
  {
    ASSERT_TRUE(StagedFolder::begin(folder_, "job"));
  }
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(StagedFolderTest, TheFolderHasOneWriterAtATime) {
  const auto first = StagedFolder::begin(folder_, "job");
  ASSERT_TRUE(first);
  const auto second = StagedFolder::begin(folder_, "job");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::kIo);
  EXPECT_NE(second.error().message.find("another process"), std::string::npos);
}

}  // namespace
}  // namespace tapeworks
