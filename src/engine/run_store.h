#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
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
/// in memory while the budget lasts and go to one temporary file when it does not. A thread of the
/// store begins with that before the budget is used up, so that those that fill chunks seldom wait;
/// where the disk is too slow for it, all threads that need memory help.
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
  /// of a partition at a time: its chunks are in the visitor's hands meanwhile. From the first
  /// visit on nothing is spilled ahead.
  Status for_each_chunk(size_t partition,
                        const std::function<Status(std::span<const std::byte>)>& visit);

  /// Begins to read the partition's part of the file, for the next visit of it. A hint: where there
  /// is no memory for it, or it is wanted for something else before the visit, or reading fails,
  /// the visit reads by itself.
  void prefetch(size_t partition);
  /// What has been read so and waits for its visit.
  uint64_t prefetched_bytes() const;

  /// The first failure of spilling.
  Status status() const;
  /// What to report in place of `error`: when memory is short because spilling failed, that
  /// failure. Never ok.
  Status explain(Error error) const;

  /// Frees the partition's memory.
  void drop(size_t partition);

  /// Gives up what was prefetched, then writes chunks in memory to the file, until so much is free;
  /// returns when what other threads write at the same time is written as well, unless there is
  /// enough without it.
  void reclaim(uint64_t wanted_bytes) override;

  size_t partition_count() const { return partitions_.size(); }
  size_t chunk_bytes() const { return arena_.chunk_bytes(); }
  uint64_t spilled_bytes() const;

 private:
  /// Blocks on their way into memory, or there.
  struct Prefetch {
    std::vector<SpillBlock> blocks;
    std::vector<SpillBuffer> buffers;     ///< by block
    std::vector<SpillFile::Bytes> bytes;  ///< by block, in its buffer
    Reservation memory;
    enum class State { kWaiting, kReading, kDone } state = State::kWaiting;
  };

  struct Partition {
    std::vector<Chunk> chunks;
    std::vector<SpillBlock> blocks;
    std::unique_ptr<Prefetch> prefetch;  ///< of the first blocks
    int spills_in_progress = 0;          ///< of chunks that are neither in memory nor in the file
  };

  /// Whether chunks are spilled before the memory is needed.
  enum class SpillAhead { kNotYet, kRunning, kEnded };

  Result<Chunk> allocate(size_t bytes);
  uint64_t free_bytes() const;
  void spill_ahead_if_low();
  void spill_ahead();
  void end_spilling_ahead();
  void make_room(uint64_t wanted_bytes);
  bool spill_until(uint64_t enough_bytes, std::unique_lock<std::mutex>& lock);
  bool has_file();
  void spill(Partition& partition, std::unique_lock<std::mutex>& lock);
  Result<std::vector<SpillBlock>> write_or_explain(std::vector<Chunk> chunks);
  Result<std::vector<SpillBlock>> write_blocks(std::vector<Chunk> chunks);
  void read_prefetches();
  void read_blocks(Prefetch& prefetch) const;
  void discard_prefetches();

  std::filesystem::path temp_folder_;
  ChunkArena arena_;  // before the chunks
  MemoryBudget& budget_;
  Reservation spill_buffers_;
  mutable std::mutex mutex_;
  std::condition_variable memory_is_low_;
  std::condition_variable prefetch_is_wanted_;
  std::condition_variable progress_;  // a spill or a prefetch is done
  // Guarded by mutex_.
  std::vector<Partition> partitions_;
  std::optional<SpillFile> file_;     // made under mutex_; written and read without
  std::optional<Error> spill_error_;  // the first one is final
  size_t next_to_spill_ = 0;
  size_t spills_in_progress_ = 0;
  SpillAhead spill_ahead_ = SpillAhead::kNotYet;
  std::deque<Prefetch*> prefetches_;  // not begun yet; they are the partitions'
  bool is_ending_ = false;
  std::thread spiller_;
  std::thread reader_;
};

}  // namespace tapeworks
