#include "engine/chunk_arena.h"

#include <algorithm>

#include <sys/mman.h>

namespace tapeworks {
namespace {

size_t whole_pages(size_t bytes) {
  return (std::max<size_t>(bytes, 1) + kPageBytes - 1) / kPageBytes * kPageBytes;
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
    : budget_(budget),
      chunk_bytes_(whole_pages(chunk_bytes)),
      slots_(chunk_bytes_),
      kept_memory_(budget) {}

size_t ChunkArena::capacity_for(size_t bytes) const {
  return std::max(whole_pages(bytes), chunk_bytes_);
}

std::optional<Chunk> ChunkArena::try_allocate() { return try_allocate(chunk_bytes_); }

std::optional<Chunk> ChunkArena::try_allocate(size_t bytes) {
  Chunk chunk;
  chunk.capacity_ = capacity_for(bytes);
  const bool usual_size = chunk.capacity_ == chunk_bytes_;
  if (!usual_size || !take_kept(chunk)) {
    if (!budget_.try_reserve_at_once(chunk.capacity_, chunk.memory_)) return std::nullopt;
    chunk.data_ = usual_size ? take_slot() : map_pages(chunk.capacity_);
  }
  chunk.arena_ = this;
  return chunk;
}

bool ChunkArena::take_kept(Chunk& chunk) {
  const std::scoped_lock lock(mutex_);
  if (kept_slots_.empty()) return false;
  chunk.data_ = kept_slots_.back();
  kept_slots_.pop_back();
  chunk.memory_ = kept_memory_.split(chunk_bytes_);
  kept_bytes_.store(kept_memory_.bytes(), std::memory_order_relaxed);
  return true;
}

bool ChunkArena::release_kept() {
  const std::scoped_lock lock(mutex_);
  if (kept_slots_.empty()) return false;
  slots_.give_back(kept_slots_);
  (void)kept_memory_.resize(0);
  kept_bytes_.store(0, std::memory_order_relaxed);
  return true;
}

std::byte* ChunkArena::take_slot() {
  const std::scoped_lock lock(mutex_);
  return slots_.take();
}

void ChunkArena::give_back(std::byte* data, size_t capacity, Reservation memory) {
  if (capacity != chunk_bytes_) {
    ::munmap(data, capacity);
    return;
  }
  const std::scoped_lock lock(mutex_);
  kept_slots_.push_back(data);
  kept_memory_.absorb(std::move(memory));
  kept_bytes_.store(kept_memory_.bytes(), std::memory_order_relaxed);
}

}  // namespace tapeworks
