#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "engine/run_store.h"
#include "pipeline/group_record.h"

namespace tapeworks {

/// Pre-aggregation of one scanning thread: a direct-mapped table of groups in front of the runs.
///
/// Each group has one slot; a group that finds another one there evicts it into the run of its
/// partition, packed. Where groups hardly ever meet again (input in perfect order, or in none) the
/// table is passed by, and tried again from time to time.
///
/// Ownership: the run store must outlive the collector. Threads: one.
class GroupCollector {
 public:
  /// Memory: memory_bytes(partition_count), and a chunk of the store for each partition.
  explicit GroupCollector(RunStore& runs);
  static uint64_t memory_bytes(size_t partition_count);

  /// Says to which partition a symbol belongs, before its first record.
  void set_partition(uint32_t symbol, uint32_t partition);

  /// Adds the record's sums to its group.
  void add(const GroupRecord& record);
  /// Hands on a record whose counts are too large to be added up here.
  void add_apart(const GroupRecord& record);
  /// Hands on a record with a price outside the range of units.
  void add_wide(const GroupRecord& record, const WideRow& wide);

  /// The first failure of the run store, if any. Look at it once a batch.
  const Status& status() const { return status_; }

  /// Evicts everything.
  Status finish();

  /// Records written per symbol so far.
  const std::vector<uint64_t>& records_by_symbol() const { return records_by_symbol_; }

 private:
  struct Slot {
    GroupRecord group;
    bool used = false;
  };

  /// The open chunk of a partition.
  struct OpenChunk {
    Chunk chunk;
    RecordPacker packer;
  };

  void look_at_hits();
  void evict(const GroupRecord& record);
  /// Makes room for `bytes` in the partition's chunk; null after a failure.
  Chunk* room_for(size_t partition, size_t bytes);
  void flush(size_t partition);
  void note(Status status);

  RunStore& runs_;
  std::vector<Slot> slots_;
  size_t hits_ = 0;         // of the records that went to the table in this window
  size_t window_left_ = 1;  // records until the hits are looked at
  bool use_table_ = true;
  std::vector<OpenChunk> chunks_;  // by partition
  std::vector<uint32_t> partition_of_symbol_;
  std::vector<uint64_t> records_by_symbol_;
  Status status_;
};

}  // namespace tapeworks
