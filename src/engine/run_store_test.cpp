#include "engine/run_store.h"

#include <map>
#include <random>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/units.h"

namespace tapeworks {
namespace {

class RunStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / ("runs-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    budget_ = std::move(MemoryBudget::create(256 * kMiB).value());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  /// All bytes of a partition, as counts: their order is not defined.
  static std::map<std::byte, size_t> counts_of(RunStore& store, size_t partition) {
    std::map<std::byte, size_t> counts;
    const auto status =
        store.for_each_chunk(partition, [&](std::span<const std::byte> chunk) -> Status {
          for (const std::byte byte : chunk) ++counts[byte];
          return {};
        });
    EXPECT_TRUE(status);
    return counts;
  }

  static bool wait_for_prefetched(const RunStore& store, uint64_t byte_count) {
    for (int i = 0; i < 2000 && store.prefetched_bytes() < byte_count; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return store.prefetched_bytes() == byte_count;
  }

  std::filesystem::path folder_;
  std::unique_ptr<MemoryBudget> budget_;
};

TEST_F(RunStoreTest, GivesBackWhatFitsInMemoryAndWhatDoesNot) {
  for (const size_t chunk_count : {size_t{20}, size_t{2600}}) {
    RunStore store({.partition_count = 4}, *budget_, folder_);
    std::vector<std::map<std::byte, size_t>> expected(4);
    std::mt19937 random(1);
    for (size_t i = 0; i < chunk_count; ++i) {
      const size_t partition = random() % 4;
      const auto byte = static_cast<std::byte>(i % 251);
      const size_t size = 1 + random() % 200'000;
      ASSERT_TRUE(store.append(partition, std::vector<std::byte>(size, byte)));
      expected[partition][byte] += size;
      ASSERT_LE(budget_->used_bytes(), budget_->capacity_bytes());
    }
    EXPECT_EQ(store.spilled_bytes() > 0, chunk_count > 100);
    for (size_t partition = 0; partition < 4; ++partition) {
      EXPECT_EQ(counts_of(store, partition), expected[partition]);
      EXPECT_EQ(counts_of(store, partition), expected[partition]) << "a second time";
      store.drop(partition);
    }
  }
  EXPECT_EQ(budget_->used_bytes(), 0U);
}

TEST_F(RunStoreTest, SpillingWhileAPartitionIsVisitedLosesNothing) {
  RunStore store({.partition_count = 2}, *budget_, folder_);
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(store.append(i % 2, std::vector<std::byte>(1000, static_cast<std::byte>(i))));
  }
  size_t visited = 0;
  const auto status = store.for_each_chunk(0, [&](std::span<const std::byte> chunk) -> Status {
    visited += chunk.size();
    store.reclaim(budget_->capacity_bytes());
    return {};
  });
  EXPECT_TRUE(status);
  EXPECT_EQ(visited, 25'000U);
  EXPECT_EQ(counts_of(store, 0).size(), 25U);
  EXPECT_EQ(counts_of(store, 1).size(), 25U);
}

TEST_F(RunStoreTest, ThreadsMayAppendAtOnce) {
  RunStore store({.partition_count = 3}, *budget_, folder_);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&store, thread] {
      for (int i = 0; i < 90; ++i) {
        EXPECT_TRUE(store.append(static_cast<size_t>(i % 3),
                                 std::vector<std::byte>(300'000, static_cast<std::byte>(thread))));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (size_t partition = 0; partition < 3; ++partition) {
    for (const auto& [byte, count] : counts_of(store, partition)) EXPECT_EQ(count, 9'000'000U);
  }
}

TEST_F(RunStoreTest, SpillsBeforeTheBudgetIsUsedUp) {
  RunStore store({.partition_count = 8}, *budget_, folder_);
  const uint64_t nearly_all = budget_->capacity_bytes() - budget_->capacity_bytes() / 16;
  Reservation rest;
  ASSERT_TRUE(budget_->try_reserve(nearly_all - budget_->used_bytes(), rest));
  // Never is more wanted than there is, so nobody has to wait for a spill.
  for (size_t i = 0; i < 100 && store.spilled_bytes() == 0; ++i) {
    ASSERT_TRUE(store.append(i % 8, std::vector<std::byte>(50'000, static_cast<std::byte>(i))));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_GT(store.spilled_bytes(), 0U);
}

TEST_F(RunStoreTest, WhatWasPrefetchedIsVisitedOnce) {
  RunStore store({.partition_count = 3}, *budget_, folder_);
  for (int round = 0; round < 3; ++round) {
    for (size_t i = 0; i < 60; ++i) {
      ASSERT_TRUE(store.append(i % 2, std::vector<std::byte>(100'000, static_cast<std::byte>(i))));
    }
    if (round < 2) store.reclaim(budget_->capacity_bytes());
  }
  const auto before = counts_of(store, 0);
  store.prefetch(0);
  store.prefetch(0);
  store.prefetch(1);
  store.prefetch(2);
  EXPECT_TRUE(wait_for_prefetched(store, 12'000'000));
  EXPECT_EQ(counts_of(store, 0), before);
  EXPECT_EQ(store.prefetched_bytes(), 6'000'000U);
  EXPECT_EQ(counts_of(store, 0), before) << "a second time, from the file";
  EXPECT_EQ(counts_of(store, 1).size(), before.size());
  EXPECT_TRUE(counts_of(store, 2).empty());
  for (const auto& [byte, count] : before) EXPECT_EQ(count, 300'000U);
}

TEST_F(RunStoreTest, AVisitNeedsNoFileForWhatWasPrefetched) {
  RunStore store({.partition_count = 2}, *budget_, folder_);
  for (size_t partition = 0; partition < 2; ++partition) {
    ASSERT_TRUE(store.append(partition, std::vector<std::byte>(100'000, std::byte{7})));
  }
  store.reclaim(budget_->capacity_bytes());
  store.prefetch(0);
  ASSERT_TRUE(wait_for_prefetched(store, 100'000));
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    std::filesystem::resize_file(entry.path(), 5000);
  }
  EXPECT_EQ(counts_of(store, 0), (std::map<std::byte, size_t>{{std::byte{7}, 100'000}}));
  // What cannot be read ahead is the visit's failure.
  store.prefetch(1);
  const auto status =
      store.for_each_chunk(1, [](std::span<const std::byte>) -> Status { return {}; });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kIo);
}

TEST_F(RunStoreTest, MemoryOfAPrefetchIsThereForOthers) {
  RunStore store({.partition_count = 4}, *budget_, folder_);
  for (size_t i = 0; i < 400; ++i) {
    ASSERT_TRUE(store.append(i % 4, std::vector<std::byte>(150'000, static_cast<std::byte>(i))));
  }
  store.reclaim(budget_->capacity_bytes());
  const auto expected = counts_of(store, 1);
  for (size_t partition = 0; partition < 4; ++partition) store.prefetch(partition);
  ASSERT_TRUE(wait_for_prefetched(store, 400 * 150'000));
  Reservation memory;
  EXPECT_TRUE(budget_->try_reserve(budget_->capacity_bytes() - 24 * kMiB, memory));
  EXPECT_EQ(store.prefetched_bytes(), 0U);
  EXPECT_EQ(counts_of(store, 1), expected);
}

TEST_F(RunStoreTest, AChunkOfWholePagesGetsRoomWhereOnlyItsBytesAreFree) {
  RunStore store({.partition_count = 2}, *budget_, folder_);
  ASSERT_TRUE(store.append(0, std::vector<std::byte>(50'000, std::byte{1})));
  // The first visit ends the spilling ahead, which might make the room by itself.
  EXPECT_EQ(counts_of(store, 0).size(), 1U);
  constexpr size_t kBytes = 100'000;
  Reservation rest;
  ASSERT_TRUE(budget_->try_reserve(budget_->available_bytes() - kBytes - 500, rest));
  EXPECT_TRUE(store.append(1, std::vector<std::byte>(kBytes, std::byte{2})));
  EXPECT_GT(store.spilled_bytes(), 0U);
}

TEST_F(RunStoreTest, AFailedSpillIsReportedByTheNextAppend) {
  RunStore store({.partition_count = 1}, *budget_, folder_ / "missing");
  ASSERT_TRUE(store.append(0, std::vector<std::byte>(100)));
  store.reclaim(budget_->capacity_bytes());
  const auto status = store.append(0, std::vector<std::byte>(100));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kIo);
}

}  // namespace
}  // namespace tapeworks
