#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "engine/chunk_arena.h"
#include "storage/memory_budget.h"
#include "storage/spill_file.h"

namespace tapeworks {

struct RunStoreOptions {
  size_t partition_count = 1;
  size_t chunk_bytes = size_t{64} << 10;  ///< of the chunks that new_chunk() gives
  size_t thread_count = 2;                ///< threads that spill or read at once
};

/// The runs of an out-of-core operator: chunks of bytes, each belonging to a partition. They stay
/// in memory while the budget lasts and go to one compressed temporary file when it does not; all
/// threads that need memory then help with that.
///
/// The order of the chunks within a partition is not defined: it depends on threads and on the
/// budget, so results may not depend on it.
///
/// Ownership: the budget must outlive the store; it registers itself as the budget's reclaimer.
/// Chunks must be gone before the store is. Threads: all members from any.
class RunStore final : public MemoryReclaimer {
 public:
  /// `temp_folder` exists; the file in it is made when it is first needed.
  RunStore(const RunStoreOptions& options, MemoryBudget& budget, std::filesystem::path temp_folder);
  ~RunStore() override;
  RunStore(const RunStore&) = delete;
  RunStore& operator=(const RunStore&) = delete;

  /// An empty chunk to fill. kIo when memory had to be made by spilling and that failed,
  /// kMemoryBudget when neither memory nor spilling has room for it.
  Result<Chunk> new_chunk();

  /// Takes over a filled chunk. kIo when an earlier spill failed.
  Status append(size_t partition, Chunk chunk);
  /// Likewise with a copy of `bytes`, at most kChunkBytesMax.
  static constexpr size_t kChunkBytesMax = size_t{1} << 20;
  Status append(size_t partition, std::span<const std::byte> bytes);

  /// Calls `visit` with every chunk of the partition; the span is valid during the call. One visit
  /// of a partition at a time: its chunks are in the visitor's hands meanwhile.
  Status for_each_chunk(size_t partition,
                        const std::function<Status(std::span<const std::byte>)>& visit);

  /// The first failure of spilling.
  Status status() const;
  /// What to report in place of `error`: when memory is short because spilling failed, that
  /// failure. Never ok.
  Status explain(Error error) const;

  /// Frees the partition's memory.
  void drop(size_t partition);

  /// Writes all chunks in memory to the file, together with the other threads that ask for it at
  /// the same time; returns when all of them are done.
  void reclaim() override;

  size_t partition_count() const { return partitions_.size(); }
  size_t chunk_bytes() const { return arena_.chunk_bytes(); }
  uint64_t spilled_bytes() const;

 private:
  struct Partition {
    std::vector<Chunk> chunks;
    std::vector<SpillBlock> blocks;
    bool is_being_spilled = false;  ///< its chunks are neither in memory nor in the file
  };

  Result<std::vector<SpillBlock>> write_or_explain(std::vector<Chunk> chunks);
  Result<std::vector<SpillBlock>> write_blocks(std::vector<Chunk> chunks);
  Result<Chunk> explained(Result<Chunk> chunk) const;

  std::filesystem::path temp_folder_;
  ChunkArena arena_;  // before the chunks
  MemoryBudget& budget_;
  Reservation spill_buffers_;
  mutable std::mutex mutex_;
  std::condition_variable spilled_;
  // Guarded by mutex_.
  std::vector<Partition> partitions_;
  std::optional<SpillFile> file_;     // made under mutex_; written and read without
  std::optional<Error> spill_error_;  // the first one is final
  size_t spiller_count_ = 0;
  size_t next_to_spill_ = 0;
  uint64_t spill_round_ = 0;  // rounds that are over
};

}  // namespace tapeworks
