#include "storage/bulk_sync.h"

#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "storage/data_directory_test_support.h"

namespace tapeworks {
namespace {

/// A descriptor that is none: whatever is done with it fails.
FileDescriptor broken_file() { return FileDescriptor(1 << 24); }

FileDescriptor new_file(const TestFolder& folder, int number) {
  auto file = create_file(folder / std::to_string(number));
  EXPECT_TRUE(file);
  return std::move(*file);
}

class BulkSyncTest : public testing::TestWithParam<BulkSync::Way> {
 protected:
  const TestFolder folder_;
  BulkSync sync_{folder_.path(), GetParam()};
};

TEST_P(BulkSyncTest, ClosesEveryFileOfMoreThanItsQueueHolds) {
  std::vector<int> descriptors;
  for (int i = 0; i < 3000; ++i) {
    FileDescriptor file = new_file(folder_, i);
    descriptors.push_back(file.get());
    ASSERT_TRUE(sync_.add(std::move(file), "file"));
  }
  ASSERT_TRUE(sync_.finish());
  for (const int descriptor : descriptors) EXPECT_EQ(::fcntl(descriptor, F_GETFD), -1);
}

TEST_P(BulkSyncTest, SyncsAgainAfterAFinish) {
  ASSERT_TRUE(sync_.add(new_file(folder_, 1), "file"));
  ASSERT_TRUE(sync_.finish());
  ASSERT_TRUE(sync_.finish());
  ASSERT_TRUE(sync_.add(new_file(folder_, 2), "file"));
  ASSERT_TRUE(sync_.finish());
}

TEST_P(BulkSyncTest, NothingToDoIsDone) { EXPECT_TRUE(sync_.finish()); }

TEST_P(BulkSyncTest, FirstFailureIsKeptAndNamesTheFile) {
  Status status = sync_.add(broken_file(), "the-file");
  if (status) status = sync_.finish();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kIo);
  EXPECT_NE(status.error().message.find("the-file"), std::string::npos);

  status = sync_.add(new_file(folder_, 1), "good");
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("the-file"), std::string::npos);
  EXPECT_FALSE(sync_.finish());
}

TEST_P(BulkSyncTest, FailureEndsTheWaitOfThoseWhoAdd) {
  int added_count = 0;
  static_cast<void>(sync_.add(broken_file(), "the-file"));
  while (added_count < 100000 && sync_.add(new_file(folder_, added_count), "good")) ++added_count;
  EXPECT_LT(added_count, 100000);
}

TEST_P(BulkSyncTest, DestructionWithoutFinishWaitsForWhatRuns) {
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(sync_.add(new_file(folder_, i), "file"));
}

std::vector<BulkSync::Way> possible_ways() {
  std::vector ways{BulkSync::Way::kEachFile};
  const auto folder = open_file(std::filesystem::temp_directory_path(), O_RDONLY | O_DIRECTORY);
  if (folder && can_sync_file_system(*folder)) ways.push_back(BulkSync::Way::kFileSystem);
  return ways;
}

INSTANTIATE_TEST_SUITE_P(Ways, BulkSyncTest, testing::ValuesIn(possible_ways()),
                         [](const auto& way) {
                           return way.param == BulkSync::Way::kEachFile ? "EachFile" : "FileSystem";
                         });

TEST(BulkSync, AFolderThatCannotBeOpenedIsNotNeeded) {
  const TestFolder folder;
  BulkSync sync(folder / "missing");
  ASSERT_TRUE(sync.add(new_file(folder, 1), "file"));
  EXPECT_TRUE(sync.finish());
}

}  // namespace
}  // namespace tapeworks
