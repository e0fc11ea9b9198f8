#include "recorder/sink/chunk_pool.h"

#include <cstring>
#include <set>

#include <gtest/gtest.h>

#include "base/units.h"
#include "storage/memory_budget.h"

namespace tapeworks::recorder {
namespace {

constexpr size_t kChunkBytes = ChunkPool::kChunkBytes;

void fill(const ChunkPool::Chunk& chunk) { std::memset(chunk.bytes, 1, chunk.capacity_bytes); }

TEST(ChunkPool, ChunksDoNotOverlapAndAreUsedAgain) {
  ChunkPool pool;
  std::vector<ChunkPool::Chunk> chunks;
  std::set<std::byte*> places;
  for (int i = 0; i < 1000; ++i) {
    chunks.push_back(pool.take(100));
    fill(chunks.back());
    places.insert(chunks.back().bytes);
  }
  EXPECT_EQ(pool.used_bytes(), 1000 * kChunkBytes);
  auto place = places.begin();
  for (auto next = std::next(place); next != places.end(); place = next++) {
    EXPECT_GE(static_cast<size_t>(*next - *place), kChunkBytes);
  }
  for (const ChunkPool::Chunk& chunk : chunks) pool.give_back(chunk);
  EXPECT_EQ(pool.used_bytes(), 0U);
  EXPECT_EQ(pool.held_bytes(), 1000 * kChunkBytes);
  const ChunkPool::Chunk again = pool.take(kChunkBytes);
  EXPECT_TRUE(places.contains(again.bytes));
  EXPECT_EQ(again.used_bytes, 0U);
  pool.give_back(again);
}

TEST(ChunkPool, ALargeRowGetsAChunkOfItsOwnThatIsNotKept) {
  ChunkPool pool;
  const ChunkPool::Chunk chunk = pool.take(3 * kMiB);
  fill(chunk);
  EXPECT_EQ(chunk.capacity_bytes, 3 * kMiB);
  EXPECT_EQ(pool.held_bytes(), 3 * kMiB);
  pool.give_back(chunk);
  EXPECT_EQ(pool.held_bytes(), 0U);
}

TEST(ChunkPool, WhatIsTrimmedIsNotResidentAndCanBeTakenAgain) {
  constexpr size_t kBytes = 64 * kMiB;
  ChunkPool pool;
  std::vector<ChunkPool::Chunk> chunks;
  while (pool.used_bytes() < kBytes) {
    chunks.push_back(pool.take(1));
    fill(chunks.back());
  }
  const uint64_t full_bytes = resident_bytes();
  // Every other one: what lies between them stays.
  for (size_t i = 0; i < chunks.size(); i += 2) pool.give_back(chunks[i]);
  pool.trim(kBytes / 2);
  EXPECT_EQ(pool.held_bytes(), kBytes / 2);
  EXPECT_LT(resident_bytes(), full_bytes - kBytes / 4);
  for (size_t i = 1; i < chunks.size(); i += 2) EXPECT_EQ(chunks[i].bytes[7], std::byte{1});
  for (size_t i = 0; i < chunks.size(); i += 2) {
    chunks[i] = pool.take(1);
    fill(chunks[i]);
  }
  EXPECT_EQ(pool.held_bytes(), kBytes);
  for (const ChunkPool::Chunk& chunk : chunks) pool.give_back(chunk);
  pool.trim(0);
  EXPECT_EQ(pool.held_bytes(), 0U);
}

}  // namespace
}  // namespace tapeworks::recorder
