#include "storage/cgroup_memory.h"

#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "storage/scratch_folder.h"

namespace tapeworks {
namespace {

/// A machine whose /proc and /sys the test writes.
class CgroupMemory : public testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    const auto file = scratch_.path() / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text << '\n';
  }
  uint64_t limit() const { return cgroup_memory_limit_bytes(scratch_.path()); }

 private:
  ScratchFolder scratch_ = ScratchFolder::make("").value();
};

TEST_F(CgroupMemory, WithoutGroupsThereIsNoLimit) { EXPECT_EQ(limit(), kNoMemoryLimit); }

TEST_F(CgroupMemory, AContainerSeesItsOwnGroupAsTheRoot) {
  write("proc/self/cgroup", "0::/");
  write("sys/fs/cgroup/memory.max", "1000");
  EXPECT_EQ(limit(), 1000U);
}

TEST_F(CgroupMemory, AServiceIsLimitedByItsGroupAndThoseAround) {
  write("proc/self/cgroup", "0::/system.slice/recorder.service");
  write("sys/fs/cgroup/system.slice/memory.max", "max");
  write("sys/fs/cgroup/system.slice/recorder.service/memory.max", "3000");
  EXPECT_EQ(limit(), 3000U);
  write("sys/fs/cgroup/system.slice/memory.max", "2000");
  EXPECT_EQ(limit(), 2000U);
}

TEST_F(CgroupMemory, TheFirstVersionHasAHierarchyForMemory) {
  write("proc/self/cgroup", "5:cpu,cpuacct:/other\n4:memory:/batch/job\n1:name=systemd:/x\n0::/y");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712");
  write("sys/fs/cgroup/memory/other/memory.limit_in_bytes", "7");
  write("sys/fs/cgroup/memory/batch/job/memory.limit_in_bytes", "4000");
  EXPECT_EQ(limit(), 4000U);
  write("sys/fs/cgroup/unified/y/memory.max", "3500");
  EXPECT_EQ(limit(), 3500U);
}

TEST_F(CgroupMemory, AGroupThatIsNotToBeSeenLeavesTheOnesAbove) {
  write("proc/self/cgroup", "4:memory:/docker/abc");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "5000");
  EXPECT_EQ(limit(), 5000U);
}

}  // namespace
}  // namespace tapeworks
