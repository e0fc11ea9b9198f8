#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/result.h"
#include "recorder/sink/chunk_pool.h"
#include "recorder/sink/table_schema.h"

namespace tapeworks::recorder {

/// Rows of one partition that are not in a part yet, packed as RowEncoder makes them, in the order
/// of their LSNs.
///
/// Rows, not columns: forty columns of a partition with ten rows would be mostly empty room, and
/// there are hundreds of such partitions. A row of five levels takes about 240 bytes, a trade 120.
///
/// Memory: chunks of `pool`, which must outlive the buffer. Threads: one.
class RowBuffer {
 public:
  RowBuffer(TableKind table, ChunkPool& pool) : table_(table), pool_(&pool) {}
  /// The other one is empty afterwards and can be used again.
  RowBuffer(RowBuffer&& other) noexcept;
  RowBuffer& operator=(RowBuffer&&) = delete;
  ~RowBuffer() { clear(); }

  void append(std::span<const std::byte> row, uint64_t lsn, int64_t log_time_ns);
  void clear();

  bool empty() const { return row_count_ == 0; }
  size_t row_count() const { return row_count_; }
  uint64_t byte_count() const { return byte_count_; }
  uint64_t first_lsn() const { return first_lsn_; }
  uint64_t last_lsn() const { return last_lsn_; }
  int64_t first_time_ns() const { return first_time_ns_; }  ///< log time of the first append()
  int64_t last_time_ns() const { return last_time_ns_; }

  /// All rows as a table of the schema arrow_schema_of(table).
  Result<std::shared_ptr<arrow::Table>> to_table(arrow::MemoryPool* memory) const;

 private:
  TableKind table_;
  ChunkPool* pool_;
  std::vector<ChunkPool::Chunk> chunks_;
  size_t row_count_ = 0;
  uint64_t byte_count_ = 0;  ///< of chunks
  uint64_t first_lsn_ = 0;
  uint64_t last_lsn_ = 0;
  int64_t first_time_ns_ = 0;
  int64_t last_time_ns_ = 0;
};

}  // namespace tapeworks::recorder
