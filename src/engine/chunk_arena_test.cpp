#include "engine/chunk_arena.h"

#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/units.h"

namespace tapeworks {
namespace {

TEST(ChunkArena, ChunksDoNotOverlapAndCountAgainstTheBudget) {
  const auto budget = MemoryBudget::create(256 * kMiB).value();
  ChunkArena arena(*budget, 10'000);
  EXPECT_GE(arena.chunk_bytes(), 10'000U);
  {
    std::mt19937 random(1);
    std::vector<std::pair<Chunk, std::byte>> held;
    for (int i = 0; i < 5'000; ++i) {
      if (!held.empty() && random() % 3 == 0) {
        std::swap(held[random() % held.size()], held.back());
        held.pop_back();
        continue;
      }
      auto chunk = random() % 10 == 0 ? arena.try_allocate(30'000) : arena.try_allocate();
      ASSERT_TRUE(chunk);
      const auto byte = static_cast<std::byte>(i % 251);
      std::memset(chunk->data(), static_cast<int>(byte), chunk->capacity());
      chunk->set_size(chunk->capacity());
      held.emplace_back(std::move(*chunk), byte);
      uint64_t bytes = arena.kept_bytes();
      for (const auto& [other, expected] : held) bytes += other.capacity();
      ASSERT_EQ(budget->used_bytes(), bytes);
      if (held.size() > 400) held.clear();
    }
    for (const auto& [chunk, byte] : held) {
      for (const std::byte found : chunk.bytes()) ASSERT_EQ(found, byte);
    }
  }
  EXPECT_EQ(budget->used_bytes(), arena.kept_bytes());
  EXPECT_TRUE(arena.release_kept());
  EXPECT_EQ(budget->used_bytes(), 0U);
}

TEST(ChunkArena, RefusesWhatTheBudgetHasNot) {
  const auto budget = MemoryBudget::create(256 * kMiB).value();
  ChunkArena arena(*budget, 64 * kKiB);
  Reservation rest;
  ASSERT_TRUE(budget->try_reserve(budget->available_bytes(), rest));
  EXPECT_FALSE(arena.try_allocate());
}

TEST(ChunkArena, KeptChunksStayReservedUntilTheyAreWantedOrReleased) {
  const auto budget = MemoryBudget::create(256 * kMiB).value();
  ChunkArena arena(*budget, 64 * kKiB);
  EXPECT_FALSE(arena.release_kept());
  std::vector<Chunk> chunks;
  for (int i = 0; i < 10; ++i) chunks.push_back(arena.try_allocate().value());
  chunks.clear();
  EXPECT_EQ(budget->used_bytes(), 640 * kKiB);
  // With nothing else left in the budget the kept ones still do.
  Reservation rest;
  ASSERT_TRUE(budget->try_reserve(budget->available_bytes(), rest));
  for (int i = 0; i < 4; ++i) chunks.push_back(arena.try_allocate().value());
  rest.release();
  EXPECT_EQ(budget->used_bytes(), 640 * kKiB);
  EXPECT_TRUE(arena.release_kept());
  EXPECT_EQ(budget->used_bytes(), 256 * kKiB);
  chunks.clear();
  EXPECT_EQ(budget->used_bytes(), 256 * kKiB);
  EXPECT_TRUE(arena.release_kept());
  EXPECT_EQ(budget->used_bytes(), 0U);
}

#ifdef __linux__
TEST(ChunkArena, MemoryOfReleasedChunksIsTheSystemsAgain) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer keeps shadows of the memory, which are resident too";
#endif
  const auto budget = MemoryBudget::create(1 * kGiB).value();
  ChunkArena arena(*budget, 16 * kKiB);
  const uint64_t before = resident_bytes();
  std::vector<Chunk> chunks;
  for (int i = 0; i < 8'000; ++i) {
    chunks.push_back(arena.try_allocate().value());
    std::memset(chunks.back().data(), 1, chunks.back().capacity());
  }
  EXPECT_GE(resident_bytes(), before + 100 * kMiB);
  // Every other one first, so that no large piece comes free at once.
  for (size_t i = 0; i < chunks.size(); i += 2) chunks[i] = Chunk();
  EXPECT_TRUE(arena.release_kept());
  EXPECT_LE(resident_bytes(), before + 80 * kMiB);
  chunks.clear();
  EXPECT_TRUE(arena.release_kept());
  EXPECT_LE(resident_bytes(), before + 20 * kMiB);
}
#endif

}  // namespace
}  // namespace tapeworks
