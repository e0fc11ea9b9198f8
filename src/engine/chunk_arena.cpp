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
/// What one thread frees another one may take.
constexpr int kReclaimRoundsMax = 3;

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
  if (data_ != nullptr) arena_->give_back(data_, capacity_, std::move(memory_));
  data_ = nullptr;
}

ChunkArena::ChunkArena(MemoryBudget& budget, size_t chunk_bytes)
    : budget_(budget), chunk_bytes_(whole_pages(chunk_bytes)), kept_memory_(budget) {}

ChunkArena::~ChunkArena() {
  for (std::byte* const slab : slabs_) ::munmap(slab, std::max(kSlabBytes, chunk_bytes_));
}

Result<Chunk> ChunkArena::allocate() { return make_chunk(chunk_bytes_); }

Result<Chunk> ChunkArena::allocate(size_t bytes) {
  return make_chunk(std::max(whole_pages(bytes), chunk_bytes_));
}

bool ChunkArena::take_kept(Chunk& chunk) {
  const std::scoped_lock lock(mutex_);
  if (kept_slots_.empty()) return false;
  chunk.data_ = kept_slots_.back();
  kept_slots_.pop_back();
  chunk.memory_ = kept_memory_.split(chunk_bytes_);
  return true;
}

Result<Chunk> ChunkArena::make_chunk(size_t bytes) {
  Chunk chunk;
  const bool usual_size = bytes == chunk_bytes_;
  for (int round = 0;; ++round) {
    if (usual_size && take_kept(chunk)) break;
    if (budget_.try_reserve_at_once(bytes, chunk.memory_)) {
      chunk.data_ = usual_size ? take_slot() : map_bytes(bytes);
      break;
    }
    if (round == kReclaimRoundsMax) {
      return over_budget("the memory budget of {} is too small; give more --memory",
                         format_byte_size(budget_.resident_limit_bytes()));
    }
    // Without the lock: others give chunks back.
    budget_.reclaim();
  }
  chunk.arena_ = this;
  chunk.capacity_ = bytes;
  return chunk;
}

bool ChunkArena::release_kept() {
  const std::scoped_lock lock(mutex_);
  if (kept_slots_.empty()) return false;
  for (std::byte* const slot : kept_slots_) (void)::madvise(slot, chunk_bytes_, MADV_DONTNEED);
  free_slots_.insert(free_slots_.end(), kept_slots_.begin(), kept_slots_.end());
  kept_slots_.clear();
  (void)kept_memory_.resize(0);
  return true;
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

void ChunkArena::give_back(std::byte* data, size_t capacity, Reservation memory) {
  if (capacity != chunk_bytes_) {
    ::munmap(data, capacity);
    return;
  }
  if (keep_returned_.load(std::memory_order_relaxed)) {
    const std::scoped_lock lock(mutex_);
    kept_slots_.push_back(data);
    kept_memory_.absorb(std::move(memory));
    return;
  }
  // The mapping stays, its memory goes.
  (void)::madvise(data, capacity, MADV_DONTNEED);
  const std::scoped_lock lock(mutex_);
  free_slots_.push_back(data);
}

}  // namespace tapeworks
