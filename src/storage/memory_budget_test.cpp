#include "storage/memory_budget.h"

#include <algorithm>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/units.h"
#include "storage/heap_memory.h"

namespace tapeworks {
namespace {

// Sanitizers have allocators of their own, which tell nothing.
#ifndef TAPEWORKS_SANITIZED
/// The second of the causes in docs/memory.md: what was freed stays where something is left of it.
TEST(HeapMemory, FreedMemoryStaysResidentUntilItIsReturned) {
  constexpr size_t kBlockBytes = 1024;
  constexpr size_t kBlocks = 64 * 1024;
  constexpr size_t kLeftOneIn = 64;
  std::vector<std::unique_ptr<char[]>> blocks;
  const uint64_t used_before = used_heap_bytes();
  for (size_t i = 0; i < kBlocks; ++i) {
    blocks.push_back(std::make_unique<char[]>(kBlockBytes));
    std::fill_n(blocks.back().get(), kBlockBytes, 'x');
  }
  const uint64_t resident_full = resident_bytes();
  EXPECT_GE(used_heap_bytes(), used_before + kBlocks * kBlockBytes);
  for (size_t i = 0; i < kBlocks; ++i) {
    if (i % kLeftOneIn != 0) blocks[i].reset();
  }
  // Used is what is left, but the pages are there.
  EXPECT_LT(used_heap_bytes(), used_before + 4 * kMiB);
  EXPECT_GT(resident_bytes(), resident_full - 16 * kMiB);
  return_free_heap();
  EXPECT_LT(resident_bytes(), resident_full - 48 * kMiB);
  EXPECT_EQ(blocks.front()[0], 'x');
}

TEST(HeapMemory, LargeBlocksGoBackAtOnceThoughLargerOnesWereFreedBefore) {
  prepare_heap_for_long_run();
  constexpr size_t kLargeBytes = kMiB;
  constexpr size_t kSmallBytes = 1024;
  const auto make = [](size_t bytes) {
    auto block = std::make_unique<char[]>(bytes);
    std::fill_n(block.get(), bytes, 'x');
    return block;
  };
  // A thread of its own has a heap of its own, as the recorder's have.
  std::jthread([&] {
    make(8 * kLargeBytes).reset();
    std::vector<std::unique_ptr<char[]>> large;
    std::vector<std::unique_ptr<char[]>> small;
    for (int i = 0; i < 16; ++i) {
      large.push_back(make(kLargeBytes));
      small.push_back(make(kSmallBytes));
    }
    const uint64_t resident_full = resident_bytes();
    large.clear();
    EXPECT_LT(resident_bytes(), resident_full - 12 * kLargeBytes);
  });
}

TEST(MemoryBudget, FreeHeapGoesBackWhenTheResidentSizeIsNearItsLimit) {
  const auto budget = MemoryBudget::create(MemoryBudget::kMinimumBytes);
  ASSERT_TRUE(budget);
  const uint64_t limit_bytes = (*budget)->resident_limit_bytes();
  constexpr size_t kBlockBytes = 1024;
  constexpr size_t kLeftOneIn = 64;
  std::vector<std::unique_ptr<char[]>> blocks;
  while (blocks.size() % kLeftOneIn != 0 || resident_bytes() < limit_bytes) {
    for (size_t i = 0; i < kLeftOneIn; ++i) {
      blocks.push_back(std::make_unique<char[]>(kBlockBytes));
      std::fill_n(blocks.back().get(), kBlockBytes, 'x');
    }
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (i % kLeftOneIn != 0) blocks[i].reset();
  }
  ASSERT_GT(resident_bytes(), limit_bytes - 16 * kMiB) << "the allocator keeps it";
  for (int i = 0; i < 64; ++i) {
    Reservation memory;
    ASSERT_TRUE((*budget)->try_reserve(kMiB, memory));
  }
  EXPECT_LT(resident_bytes(), limit_bytes - 48 * kMiB);
  EXPECT_EQ(blocks.front()[0], 'x');
}
#endif

std::unique_ptr<MemoryBudget> make_budget() {
  auto budget = MemoryBudget::create(1 * kGiB);
  EXPECT_TRUE(budget);
  return std::move(*budget);
}

TEST(MemoryBudget, RefusesLessThanTheMinimum) {
  const auto budget = MemoryBudget::create(MemoryBudget::kMinimumBytes - 1);
  ASSERT_FALSE(budget);
  EXPECT_EQ(budget.error().kind, ErrorKind::kInvalidArgument);
}

TEST(MemoryBudget, LeavesRoomForWhatIsAlreadyResident) {
  const auto budget = make_budget();
  EXPECT_LT(budget->capacity_bytes(), 1 * kGiB);
  EXPECT_GT(budget->capacity_bytes(), 256 * kMiB);
}

TEST(MemoryBudget, AReservationLivesAsLongAsItsObject) {
  const auto budget = make_budget();
  {
    Reservation first;
    ASSERT_TRUE(budget->try_reserve(budget->capacity_bytes() - 10, first));
    Reservation second;
    EXPECT_FALSE(budget->try_reserve(11, second));
    EXPECT_TRUE(first.resize(100));
    EXPECT_TRUE(budget->try_reserve(11, second));
    Reservation moved = std::move(second);
    EXPECT_EQ(budget->used_bytes(), 111U);
    first.absorb(std::move(moved));
    EXPECT_EQ(first.bytes(), 111U);
  }
  EXPECT_EQ(budget->used_bytes(), 0U);
}

TEST(MemoryBudget, ThePoolAnswersOutOfMemoryInsteadOfAllocating) {
  const auto budget = make_budget();
  uint8_t* memory = nullptr;
  const auto too_much = static_cast<int64_t>(budget->capacity_bytes() + 1);
  EXPECT_TRUE(budget->pool()->Allocate(too_much, 64, &memory).IsOutOfMemory());
  ASSERT_TRUE(budget->pool()->Allocate(1000, 64, &memory).ok());
  EXPECT_EQ(budget->used_bytes(), 1000U);
  ASSERT_TRUE(budget->pool()->Reallocate(1000, 5000, 64, &memory).ok());
  EXPECT_EQ(budget->used_bytes(), 5000U);
  budget->pool()->Free(memory, 5000, 64);
  EXPECT_EQ(budget->used_bytes(), 0U);
}

class FreesOnce : public MemoryReclaimer {
 public:
  explicit FreesOnce(Reservation held) : held_(std::move(held)) {}
  void reclaim(uint64_t) override {
    ++calls;
    held_.release();
  }
  int calls = 0;

 private:
  Reservation held_;
};

TEST(MemoryBudget, AsksTheReclaimerBeforeItRefuses) {
  const auto budget = make_budget();
  Reservation held;
  ASSERT_TRUE(budget->try_reserve(budget->capacity_bytes(), held));
  FreesOnce reclaimer(std::move(held));
  budget->set_reclaimer(&reclaimer);
  Reservation wanted;
  EXPECT_TRUE(budget->try_reserve(1000, wanted));
  EXPECT_EQ(reclaimer.calls, 1);
  Reservation more;
  EXPECT_FALSE(budget->try_reserve(budget->capacity_bytes(), more));
  EXPECT_GT(reclaimer.calls, 1) << "asked again";
  budget->set_reclaimer(nullptr);
}

TEST(MemoryBudget, ThreadsNeverGetMoreThanThereIs) {
  const auto budget = make_budget();
  const uint64_t share = budget->capacity_bytes() / 3;
  std::atomic<int> inside{0};
  std::atomic<bool> too_many{false};
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 2000; ++round) {
        Reservation memory;
        if (!budget->try_reserve(share, memory)) continue;
        if (inside.fetch_add(1) >= 3) too_many = true;
        inside.fetch_sub(1);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_FALSE(too_many);
  EXPECT_EQ(budget->used_bytes(), 0U);
}

}  // namespace
}  // namespace tapeworks
