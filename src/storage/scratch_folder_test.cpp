#include "storage/scratch_folder.h"

#include <chrono>
#include <fstream>

#include <gtest/gtest.h>

namespace tapeworks {
namespace {
namespace fs = std::filesystem;

void make_older(const fs::path& path) {
  fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(1));
}

TEST(ScratchFolder, GoesWithEverythingInIt) {
  fs::path path;
  {
    const ScratchFolder scratch = ScratchFolder::make("").value();
    path = scratch.path();
    std::ofstream(path / "runs.spill") << "rows";
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST(ScratchFolder, WhatAKilledProcessLeftIsRemovedByTheNextOne) {
  const ScratchFolder parent = ScratchFolder::make("").value();
  const fs::path left = parent.path() / "tapeworks-temporary-abcdef";
  const fs::path young = parent.path() / "tapeworks-temporary-ghijkl";
  const fs::path foreign = parent.path() / "anything";
  const fs::path unlocked = parent.path() / "tapeworks-temporary-of-another-version";
  for (const fs::path& folder : {left, young, foreign, unlocked}) {
    fs::create_directory(folder);
    std::ofstream(folder / "runs.spill") << "rows";
    if (folder != unlocked) std::ofstream(folder / "in_use.lock") << "";
    if (folder != young) make_older(folder);
  }
  const ScratchFolder used = ScratchFolder::make(parent.path()).value();
  EXPECT_FALSE(fs::exists(left));
  EXPECT_TRUE(fs::exists(young / "runs.spill")) << "its owner may not have locked it yet";
  EXPECT_TRUE(fs::exists(foreign / "runs.spill"));
  EXPECT_TRUE(fs::exists(unlocked / "runs.spill"));
  make_older(used.path());
  const ScratchFolder next = ScratchFolder::make(parent.path()).value();
  EXPECT_TRUE(fs::exists(used.path())) << "its owner lives";
}

}  // namespace
}  // namespace tapeworks
