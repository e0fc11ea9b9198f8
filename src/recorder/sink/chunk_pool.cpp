#include "recorder/sink/chunk_pool.h"

namespace tapeworks::recorder {

ChunkPool::Chunk ChunkPool::take(size_t bytes) {
  Chunk chunk;
  if (bytes > kChunkBytes) {
    chunk = {new std::byte[bytes], bytes, 0};
  } else if (free_.empty()) {
    chunk = {slots_.take(), kChunkBytes, 0};
  } else {
    chunk = {free_.back(), kChunkBytes, 0};
    free_.pop_back();
  }
  used_bytes_ += chunk.capacity_bytes;
  return chunk;
}

void ChunkPool::give_back(Chunk chunk) {
  used_bytes_ -= chunk.capacity_bytes;
  if (chunk.capacity_bytes > kChunkBytes) {
    delete[] chunk.bytes;
  } else {
    free_.push_back(chunk.bytes);
  }
}

void ChunkPool::trim(uint64_t limit_bytes) {
  std::vector<std::byte*> unneeded;
  while (!free_.empty() && held_bytes() > limit_bytes) {
    unneeded.push_back(free_.back());
    free_.pop_back();
  }
  slots_.give_back(unneeded);
}

}  // namespace tapeworks::recorder
