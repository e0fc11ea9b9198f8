#include "storage/bulk_sync.h"

#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "storage/data_directory_test_support.h"

namespace tapeworks {
namespace {

/// A descriptor that cannot be synced.
FileDescriptor pipe_end() {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  return FileDescriptor(ends[1]);
}

FileDescriptor new_file(const TestFolder& folder, int number) {
  auto file = create_file(folder / std::to_string(number));
  EXPECT_TRUE(file);
  return std::move(*file);
}

TEST(BulkSync, ClosesEveryFileOfMoreThanItsQueueHolds) {
  const TestFolder folder;
  BulkSync sync;
  std::vector<int> descriptors;
  for (int i = 0; i < 300; ++i) {
    FileDescriptor file = new_file(folder, i);
    descriptors.push_back(file.get());
    ASSERT_TRUE(sync.add(std::move(file), "file"));
  }
  ASSERT_TRUE(sync.finish());
  for (const int descriptor : descriptors) EXPECT_EQ(::fcntl(descriptor, F_GETFD), -1);
}

TEST(BulkSync, NothingToDoIsDone) {
  BulkSync sync;
  EXPECT_TRUE(sync.finish());
}

TEST(BulkSync, FirstFailureIsKeptAndNamesTheFile) {
  const TestFolder folder;
  BulkSync sync;
  ASSERT_TRUE(sync.add(pipe_end(), "the-pipe"));
  Status status = sync.finish();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kIo);
  EXPECT_NE(status.error().message.find("cannot sync the-pipe"), std::string::npos);

  status = sync.add(new_file(folder, 1), "good");
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("the-pipe"), std::string::npos);
  EXPECT_FALSE(sync.finish());
}

TEST(BulkSync, FailureEndsTheWaitOfThoseWhoAdd) {
  const TestFolder folder;
  BulkSync sync;
  int added_count = 0;
  ASSERT_TRUE(sync.add(pipe_end(), "the-pipe"));
  while (added_count < 100000 && sync.add(new_file(folder, added_count), "good")) ++added_count;
  EXPECT_LT(added_count, 100000);
}

TEST(BulkSync, DestructionWithoutFinishWaitsForWhatRuns) {
  const TestFolder folder;
  BulkSync sync;
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(sync.add(new_file(folder, i), "file"));
}

}  // namespace
}  // namespace tapeworks
