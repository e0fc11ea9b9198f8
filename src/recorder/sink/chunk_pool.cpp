#include "recorder/sink/chunk_pool.h"

#include <new>

#include <sys/mman.h>

namespace tapeworks::recorder {
namespace {

constexpr size_t kSlabChunks = 256;
constexpr size_t kSlabBytes = kSlabChunks * ChunkPool::kChunkBytes;

std::byte* take_last(std::vector<std::byte*>& chunks) {
  std::byte* const last = chunks.back();
  chunks.pop_back();
  return last;
}

}  // namespace

ChunkPool::~ChunkPool() {
  for (std::byte* const slab : slabs_) ::munmap(slab, kSlabBytes);
}

void ChunkPool::add_slab() {
  // Room first, so that nothing is mapped that nobody knows of.
  slabs_.reserve(slabs_.size() + 1);
  returned_.reserve(returned_.size() + kSlabChunks);
  void* const slab =
      ::mmap(nullptr, kSlabBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (slab == MAP_FAILED) throw std::bad_alloc();
  slabs_.push_back(static_cast<std::byte*>(slab));
  for (size_t i = kSlabChunks; i > 0; --i) {
    returned_.push_back(slabs_.back() + (i - 1) * kChunkBytes);
  }
}

ChunkPool::Chunk ChunkPool::take(size_t bytes) {
  Chunk chunk;
  if (bytes > kChunkBytes) {
    chunk = {new std::byte[bytes], bytes, 0};
  } else {
    if (free_.empty() && returned_.empty()) add_slab();
    chunk = {take_last(free_.empty() ? returned_ : free_), kChunkBytes, 0};
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
  while (!free_.empty() && held_bytes() > limit_bytes) {
    std::byte* const chunk = take_last(free_);
    returned_.push_back(chunk);
    // Where pages are larger it fails, and the chunk keeps its memory.
    static_cast<void>(::madvise(chunk, kChunkBytes, MADV_DONTNEED));
  }
}

}  // namespace tapeworks::recorder
