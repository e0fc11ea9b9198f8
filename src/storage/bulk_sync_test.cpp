#include "storage/bulk_sync.h"

#include <atomic>
#include <string>
#include <thread>
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
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(sync_.add(new_file(folder_, i), "file"));
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

/// Syncs of the file system that are counted, and fail from a certain one on.
class FileSystemSyncs : public testing::Test {
 protected:
  void SetUp() override {
    if (possible_ways().size() < 2) GTEST_SKIP() << "no file system that is synced as a whole";
  }

  BulkSync make_sync(int good_count = 1'000'000) {
    return BulkSync(
        folder_.path(), BulkSync::Way::kFileSystem,
        [this, good_count](const FileDescriptor&, const std::filesystem::path&) -> Status {
          if (++sync_count_ > good_count) return io_error("sync {}", sync_count_.load());
          return {};
        });
  }

  const TestFolder folder_;
  std::atomic<int> sync_count_ = 0;
};

TEST_F(FileSystemSyncs, OneCoversAllFilesSinceTheLast) {
  BulkSync sync = make_sync();
  ASSERT_TRUE(sync.finish());
  EXPECT_EQ(sync_count_, 0);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(sync.add(new_file(folder_, i), "file"));
  EXPECT_EQ(sync_count_, 0);
  ASSERT_TRUE(sync.finish());
  EXPECT_EQ(sync_count_, 1);
  ASSERT_TRUE(sync.finish());
  EXPECT_EQ(sync_count_, 1);
  ASSERT_TRUE(sync.add(new_file(folder_, 100), "file"));
  ASSERT_TRUE(sync.finish());
  EXPECT_EQ(sync_count_, 2);
}

TEST_F(FileSystemSyncs, BeginWhileFilesCome) {
  BulkSync sync = make_sync();
  for (size_t i = 0; i < BulkSync::kFilesPerSync; ++i) {
    ASSERT_TRUE(sync.add(new_file(folder_, static_cast<int>(i)), "file"));
  }
  while (sync_count_ == 0) std::this_thread::yield();
  FileDescriptor large = new_file(folder_, -1);
  ASSERT_EQ(::ftruncate(large.get(), BulkSync::kBytesPerSync), 0);
  // Not before the one under way is done.
  ASSERT_TRUE(sync.add(std::move(large), "large"));
  ASSERT_TRUE(sync.finish());
  EXPECT_EQ(sync_count_, 2);
}

TEST_F(FileSystemSyncs, AFailureIsKept) {
  BulkSync sync = make_sync(/*good_count=*/1);
  ASSERT_TRUE(sync.add(new_file(folder_, 1), "file"));
  ASSERT_TRUE(sync.finish());
  ASSERT_TRUE(sync.add(new_file(folder_, 2), "file"));
  for (const Status& status :
       {sync.finish(), sync.add(new_file(folder_, 3), "file"), sync.finish()}) {
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().message, "sync 2");
  }
  EXPECT_EQ(sync_count_, 2);
}

TEST(BulkSync, AFolderThatCannotBeOpenedIsNotNeeded) {
  const TestFolder folder;
  BulkSync sync(folder / "missing");
  ASSERT_TRUE(sync.add(new_file(folder, 1), "file"));
  EXPECT_TRUE(sync.finish());
}

}  // namespace
}  // namespace tapeworks
