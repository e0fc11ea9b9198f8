#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "storage/page_slots.h"

namespace tapeworks::recorder {

/// Memory for rows, in chunks of one size that go from buffer to buffer. They lie in mappings of
/// their own: blocks that live for minutes would otherwise lie between those of merges, which come
/// and go by the thousand, and the heap would grow with every hour by the pieces in between.
///
/// Ownership: a chunk belongs to who took it, and must be given back before the pool goes.
/// Errors: take() throws std::bad_alloc. Threads: one.
class ChunkPool {
 public:
  /// A page, so that each can be given back to the system by itself; and small, because each of
  /// hundreds of partitions has one that is partly empty.
  static constexpr size_t kChunkBytes = kPageBytes;

  struct Chunk {
    std::byte* bytes = nullptr;
    size_t capacity_bytes = 0;
    size_t used_bytes = 0;
  };

  /// With room for `bytes`, which may be more than a usual chunk has.
  Chunk take(size_t bytes);
  void give_back(Chunk chunk);

  /// In the hands of buffers.
  uint64_t used_bytes() const { return used_bytes_; }
  /// With the chunks that wait to be used again.
  uint64_t held_bytes() const { return used_bytes_ + free_.size() * kChunkBytes; }
  /// Gives chunks that wait back to the system until no more than `limit_bytes` are held, if so
  /// many wait.
  void trim(uint64_t limit_bytes);

 private:
  PageSlots slots_{kChunkBytes};
  std::vector<std::byte*> free_;  ///< with memory behind them
  uint64_t used_bytes_ = 0;
};

}  // namespace tapeworks::recorder
