#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "storage/memory_budget.h"
#include "storage/spill_file.h"

namespace tapeworks {

/// The runs of an out-of-core operator: chunks of bytes, each belonging to a partition. They stay
/// in memory while the budget lasts and go to one compressed temporary file when it does not.
///
/// The order of the chunks within a partition is not defined: it depends on threads and on the
/// budget, so results may not depend on it.
///
/// Ownership: the budget must outlive the store; it registers itself as the budget's reclaimer.
/// Threads: append and for_each_chunk from any.
class RunStore final : public MemoryReclaimer {
 public:
  /// `temp_folder` exists; the file in it is made when it is first needed.
  RunStore(size_t partition_count, MemoryBudget& budget, std::filesystem::path temp_folder);
  ~RunStore() override;
  RunStore(const RunStore&) = delete;
  RunStore& operator=(const RunStore&) = delete;

  /// Takes a chunk of at most kChunkBytesMax bytes. kIo when it had to be written and that failed,
  /// kMemoryBudget when neither memory nor spilling has room for it.
  static constexpr size_t kChunkBytesMax = size_t{1} << 20;
  Status append(size_t partition, std::vector<std::byte> chunk);

  /// Calls `visit` with every chunk of the partition; the span is valid during the call.
  Status for_each_chunk(size_t partition,
                        const std::function<Status(std::span<const std::byte>)>& visit);

  /// The first failure of spilling, which is why memory may be short: look here before saying so.
  Status status() const;

  /// Frees the partition's memory.
  void drop(size_t partition);

  /// Writes all chunks in memory to the file.
  void reclaim() override;

  size_t partition_count() const { return partitions_.size(); }
  uint64_t spilled_bytes() const;

 private:
  struct Partition {
    std::vector<std::vector<std::byte>> chunks;
    std::vector<SpillBlock> blocks;
  };
  Status spill();
  Status spill_partition(Partition& partition);

  MemoryBudget& budget_;
  std::filesystem::path temp_folder_;
  mutable std::mutex mutex_;
  std::vector<Partition> partitions_;  // guarded by mutex_
  std::optional<SpillFile> file_;      // made under mutex_; its blocks are read without
  Reservation chunk_memory_;           // guarded by mutex_
  Reservation spill_buffers_;
  std::optional<Error> spill_error_;  // guarded by mutex_; the first one is final
};

}  // namespace tapeworks
