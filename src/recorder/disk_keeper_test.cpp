#include "recorder/disk_keeper.h"

#include <condition_variable>
#include <mutex>
#include <optional>

#include <gtest/gtest.h>

#include "base/units.h"
#include "storage/posix_file.h"
#include "storage/scratch_folder.h"

namespace tapeworks::recorder {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMoreThanThereIs = uint64_t{1} << 60;

class DiskKeeperTest : public testing::Test {
 protected:
  DiskKeeperTest() {
    options_.log_folder = scratch_.path() / "log";
    options_.output_folder = scratch_.path() / "out";
    options_.reserve_bytes = kMiB;
    options_.priorities = {0};
    EXPECT_TRUE(make_folders(options_.log_folder));
    EXPECT_TRUE(make_folders(options_.output_folder / ".parts"));
  }
  bool has_reserve() const { return fs::exists(options_.log_folder / "disk.reserve"); }

  ScratchFolder scratch_ = ScratchFolder::make("").value();
  DiskKeeperOptions options_;
};

TEST_F(DiskKeeperTest, KeepsOneReserveForFoldersOfOneDeviceAndGivesItUpAtTheEnd) {
  {
    DiskKeeper keeper(options_);
    EXPECT_EQ(keeper.round().step, DiskStep::kFine);
    EXPECT_TRUE(has_reserve());
    EXPECT_FALSE(fs::exists(options_.output_folder / ".parts/disk.reserve"));
    EXPECT_GT(keeper.free_bytes(), 0U);
    EXPECT_FALSE(keeper.is_full());
  }
  EXPECT_FALSE(has_reserve());
}

TEST_F(DiskKeeperTest, AFullDiskGetsTheReserveBack) {
  options_.min_free_bytes = kMoreThanThereIs;
  DiskKeeper keeper(options_);
  EXPECT_EQ(keeper.round().step, DiskStep::kFull);
  EXPECT_TRUE(keeper.is_full());
  EXPECT_FALSE(has_reserve());
}

TEST_F(DiskKeeperTest, AWriteWithoutRoomFreesTheReserveAtOnce) {
  DiskKeeper keeper(options_);
  keeper.round();
  ASSERT_TRUE(has_reserve());
  keeper.note_no_space();
  EXPECT_FALSE(has_reserve());
  EXPECT_TRUE(keeper.is_full());
  for (int round = 0; round < DiskLadder::kRoundsAfterNoSpace; ++round) {
    EXPECT_EQ(keeper.round().step, DiskStep::kFull);
    EXPECT_FALSE(has_reserve());
  }
  EXPECT_EQ(keeper.round().step, DiskStep::kFine);
  EXPECT_TRUE(has_reserve());
}

TEST_F(DiskKeeperTest, TheThreadSavesSpaceAndTellsNewOrders) {
  std::mutex mutex;
  std::condition_variable told;
  std::optional<DiskOrders> orders;
  int save_count = 0;
  DiskKeeper keeper(options_);
  keeper.round();
  keeper.start({[&](const DiskOrders& changed, uint64_t) {
                  const std::lock_guard lock(mutex);
                  orders = changed;
                  told.notify_one();
                },
                [&] {
                  const std::lock_guard lock(mutex);
                  ++save_count;
                  told.notify_one();
                }});
  keeper.note_no_space();
  std::unique_lock lock(mutex);
  EXPECT_TRUE(
      told.wait_for(lock, std::chrono::seconds(30), [&] { return orders && save_count == 1; }));
  ASSERT_TRUE(orders);
  EXPECT_EQ(orders->step, DiskStep::kFull);
  lock.unlock();
  keeper.finish();
}

}  // namespace
}  // namespace tapeworks::recorder
