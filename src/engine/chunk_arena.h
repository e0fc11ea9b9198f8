#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "storage/memory_budget.h"
#include "storage/page_slots.h"

namespace tapeworks {

class ChunkArena;

/// A piece of memory that is filled from its beginning; it goes back to its arena when destroyed.
/// Threads: one at a time.
class Chunk {
 public:
  Chunk() = default;
  Chunk(Chunk&& other) noexcept { *this = std::move(other); }
  Chunk& operator=(Chunk&& other) noexcept;
  Chunk(const Chunk&) = delete;
  Chunk& operator=(const Chunk&) = delete;
  ~Chunk() { release(); }

  std::byte* data() { return data_; }
  size_t capacity() const { return capacity_; }
  size_t size() const { return size_; }
  void set_size(size_t size) { size_ = size; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  friend class ChunkArena;
  void release();

  ChunkArena* arena_ = nullptr;
  std::byte* data_ = nullptr;
  size_t capacity_ = 0;
  size_t size_ = 0;
  Reservation memory_;
};

/// Hands out chunks of one size, whole pages each, reserved from the budget. The memory of a chunk
/// that comes back stays reserved for the next one until release_kept() gives it to the system,
/// which the owner calls when the budget is used up: giving back thousands of chunks one by one
/// took a twentieth of a run. Never is more resident than reserved, whatever order chunks come back
/// in; the general allocator would keep holes in its heap.
///
/// Ownership: must outlive its chunks; the budget must outlive the arena. Threads: any.
class ChunkArena {
 public:
  ChunkArena(MemoryBudget& budget, size_t chunk_bytes);
  ChunkArena(const ChunkArena&) = delete;
  ChunkArena& operator=(const ChunkArena&) = delete;

  /// Every chunk has at least the bytes that were asked for. Empty when the budget has not that
  /// much; nobody is asked to free any.
  std::optional<Chunk> try_allocate();
  /// One of another size, with a mapping of its own when it is larger than the others.
  std::optional<Chunk> try_allocate(size_t bytes);

  size_t chunk_bytes() const { return chunk_bytes_; }
  /// What a chunk of at least `bytes` takes of the budget.
  size_t capacity_for(size_t bytes) const;

  /// Gives what is kept to the system. False when there is nothing.
  bool release_kept();
  /// What is kept, reserved but free for the next chunks.
  uint64_t kept_bytes() const { return kept_bytes_.load(std::memory_order_relaxed); }

 private:
  friend class Chunk;
  bool take_kept(Chunk& chunk);
  std::byte* take_slot();
  void give_back(std::byte* data, size_t capacity, Reservation memory);

  MemoryBudget& budget_;
  const size_t chunk_bytes_;             // whole pages
  std::atomic<uint64_t> kept_bytes_{0};  // as kept_memory_, to be read without the lock
  std::mutex mutex_;
  // Guarded by mutex_.
  PageSlots slots_;
  std::vector<std::byte*> kept_slots_;  // their memory is still there
  Reservation kept_memory_;             // of the kept ones
};

}  // namespace tapeworks
