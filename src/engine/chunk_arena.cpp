#include "engine/chunk_arena.h"

#include <algorithm>
#include <new>

#include <sys/mman.h>

#include "base/units.h"

namespace tapeworks {
namespace {

constexpr size_t kPageBytes = 4096;
/// Address space that is taken at once; memory follows as it is touched.
constexpr size_t kSlabBytes = size_t{8} * kMiB;

size_t whole_pages(size_t bytes) {
  return (std::max<size_t>(bytes, 1) + kPageBytes - 1) / kPageBytes * kPageBytes;
}

std::byte* map_bytes(size_t bytes) {
  void* const at =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  return static_cast<std::byte*>(at);
}

}  // namespace

Chunk& Chunk::operator=(Chunk&& other) noexcept {
  if (this != &other) {
    release();
    arena_ = std::exchange(other.arena_, nullptr);
    data_ = std::exchange(other.data_, nullptr);
    capacity_ = std::exchange(other.capacity_, 0);
    size_ = std::exchange(other.size_, 0);
    memory_ = std::move(other.memory_);
  }
  return *this;
}

void Chunk::release() {
  if (data_ != nullptr) arena_->give_back(data_, capacity_);
  data_ = nullptr;
  memory_.release();
}

ChunkArena::ChunkArena(MemoryBudget& budget, size_t chunk_bytes)
    : budget_(budget), chunk_bytes_(whole_pages(chunk_bytes)) {}

ChunkArena::~ChunkArena() {
  for (std::byte* const slab : slabs_) ::munmap(slab, std::max(kSlabBytes, chunk_bytes_));
}

Result<Chunk> ChunkArena::allocate() { return make_chunk(chunk_bytes_); }

Result<Chunk> ChunkArena::allocate(size_t bytes) {
  return make_chunk(std::max(whole_pages(bytes), chunk_bytes_));
}

Result<Chunk> ChunkArena::make_chunk(size_t bytes) {
  Chunk chunk;
  // Asked for outside the lock: a refusal first makes others give chunks back.
  if (!budget_.try_reserve(bytes, chunk.memory_)) {
    return over_budget("the memory budget of {} is too small; give more --memory",
                       format_byte_size(budget_.resident_limit_bytes()));
  }
  chunk.arena_ = this;
  chunk.data_ = bytes == chunk_bytes_ ? take_slot() : map_bytes(bytes);
  chunk.capacity_ = bytes;
  return chunk;
}

std::byte* ChunkArena::take_slot() {
  const std::scoped_lock lock(mutex_);
  if (free_slots_.empty()) {
    const size_t slab_bytes = std::max(kSlabBytes, chunk_bytes_);
    std::byte* const slab = map_bytes(slab_bytes);
    slabs_.push_back(slab);
    for (size_t at = slab_bytes / chunk_bytes_ * chunk_bytes_; at >= chunk_bytes_;) {
      at -= chunk_bytes_;
      free_slots_.push_back(slab + at);
    }
  }
  std::byte* const slot = free_slots_.back();
  free_slots_.pop_back();
  return slot;
}

void ChunkArena::give_back(std::byte* data, size_t capacity) {
  if (capacity != chunk_bytes_) {
    ::munmap(data, capacity);
    return;
  }
  // The mapping stays, its memory goes.
  (void)::madvise(data, capacity, MADV_DONTNEED);
  const std::scoped_lock lock(mutex_);
  free_slots_.push_back(data);
}

}  // namespace tapeworks
