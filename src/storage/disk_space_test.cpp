#include "storage/disk_space.h"

#include <limits>

#include <gtest/gtest.h>

#include "base/units.h"
#include "storage/posix_file.h"
#include "storage/scratch_folder.h"

namespace tapeworks {
namespace {

namespace fs = std::filesystem;

class DiskSpaceTest : public testing::Test {
 protected:
  ScratchFolder scratch_ = ScratchFolder::make("").value();
  fs::path file_ = scratch_.path() / "reserve";
};

TEST_F(DiskSpaceTest, AFolderAndOneInItShareTheirDevice) {
  ASSERT_TRUE(make_folders(scratch_.path() / "inner"));
  const auto outer = disk_space_of(scratch_.path());
  const auto inner = disk_space_of(scratch_.path() / "inner");
  ASSERT_TRUE(outer && inner);
  EXPECT_EQ(outer->device, inner->device);
  EXPECT_GT(outer->free_bytes, 0U);
  EXPECT_NE(disk_space_of("/proc").value().device, outer->device);
  EXPECT_EQ(disk_space_of(scratch_.path() / "missing").error().kind, ErrorKind::kIo);
}

TEST_F(DiskSpaceTest, AReserveIsRoomUntilItIsGivenUp) {
  ReserveFile reserve(file_, kMiB);
  ASSERT_TRUE(write_synced_file(file_, "of a crash"));
  const Status made = reserve.make();
  ASSERT_TRUE(made) << made.error().message;
  if (!reserve.is_possible()) GTEST_SKIP() << "this file system gives no room ahead";
  EXPECT_TRUE(reserve.is_there());
  EXPECT_EQ(fs::file_size(file_), kMiB);
  ASSERT_TRUE(reserve.give_up());
  EXPECT_FALSE(reserve.is_there());
  EXPECT_FALSE(fs::exists(file_));
  EXPECT_TRUE(reserve.give_up());
}

TEST_F(DiskSpaceTest, AReserveThatFindsNoRoomLeavesNoFile) {
  ReserveFile reserve(file_, uint64_t{1} << 60);
  const Status made = reserve.make();
  EXPECT_FALSE(reserve.is_there());
  EXPECT_FALSE(fs::exists(file_));
  EXPECT_TRUE(!made || !reserve.is_possible());
}

TEST_F(DiskSpaceTest, TheEndOfAReserveRemovesItsFile) {
  {
    ReserveFile reserve(file_, kMiB);
    ASSERT_TRUE(reserve.make());
  }
  EXPECT_FALSE(fs::exists(file_));
}

}  // namespace
}  // namespace tapeworks
