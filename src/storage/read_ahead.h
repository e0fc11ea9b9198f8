#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include <arrow/io/interfaces.h>
#include <arrow/result.h>
#include <arrow/type_fwd.h>
#include <arrow/util/future.h>

#include "storage/memory_budget.h"

namespace tapeworks {

/// Reads a range of an object from front to back while blocks further on are already on their way,
/// so that the time of a request is not waited for again and again.
///
/// Memory: as many blocks as the budget grants, at most kBlocksMax of kBlockBytes; with none of
/// them it reads what is asked for and nothing ahead. Without a budget, one block. Ownership: keeps
/// the file. Threads: one.
class ReadAhead {
 public:
  static constexpr int64_t kBlockBytes = int64_t{1024} * 1024;
  static constexpr int kBlocksMax = 4;

  /// Asks for the first blocks at once.
  ReadAhead(std::shared_ptr<arrow::io::RandomAccessFile> file, int64_t offset, int64_t byte_count,
            MemoryBudget* budget);

  bool covers(int64_t offset) const { return offset >= begin_ && offset < end_; }

  /// Some of the bytes at `offset`, at most `byte_count`; 0 at the end of the object. Going back is
  /// allowed and slow.
  arrow::Result<int64_t> read(int64_t offset, int64_t byte_count, void* out);

 private:
  struct Block {
    int64_t offset = 0;
    int64_t byte_count = 0;
    arrow::Future<std::shared_ptr<arrow::Buffer>> content;
  };
  void ask();

  std::shared_ptr<arrow::io::RandomAccessFile> file_;
  int64_t begin_;
  int64_t end_;
  int64_t next_;  ///< the first byte that was not asked for yet
  size_t blocks_max_ = 0;
  Reservation memory_;
  std::deque<Block> blocks_;
};

}  // namespace tapeworks
