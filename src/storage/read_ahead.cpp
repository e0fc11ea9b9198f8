#include "storage/read_ahead.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <arrow/buffer.h>

namespace tapeworks {

ReadAhead::ReadAhead(std::shared_ptr<arrow::io::RandomAccessFile> file, int64_t offset,
                     int64_t byte_count, MemoryBudget* budget)
    : file_(std::move(file)), begin_(offset), end_(offset + byte_count), next_(offset) {
  const int64_t wanted =
      std::min<int64_t>(kBlocksMax, (byte_count + kBlockBytes - 1) / kBlockBytes);
  if (budget == nullptr) blocks_max_ = 1;
  // Reading ahead is a comfort: nobody else is made to spill for it.
  for (int64_t blocks = wanted; budget != nullptr && blocks > 0; blocks /= 2) {
    if (!budget->try_reserve_at_once(static_cast<uint64_t>(blocks * kBlockBytes), memory_))
      continue;
    blocks_max_ = static_cast<size_t>(blocks);
    break;
  }
  ask();
}

void ReadAhead::ask() {
  while (blocks_.size() < blocks_max_ && next_ < end_) {
    const int64_t byte_count = std::min(kBlockBytes, end_ - next_);
    blocks_.push_back({next_, byte_count, file_->ReadAsync(next_, byte_count)});
    next_ += byte_count;
  }
}

arrow::Result<int64_t> ReadAhead::read(int64_t offset, int64_t byte_count, void* out) {
  while (!blocks_.empty() && offset >= blocks_.front().offset + blocks_.front().byte_count) {
    blocks_.pop_front();
    ask();
  }
  if (blocks_.empty() || offset < blocks_.front().offset) {
    return file_->ReadAt(offset, byte_count, out);
  }
  const Block& block = blocks_.front();
  ARROW_ASSIGN_OR_RAISE(const auto content, block.content.result());
  const int64_t skipped = offset - block.offset;
  const int64_t count = std::min(byte_count, content->size() - skipped);
  if (count <= 0) return 0;
  std::memcpy(out, content->data() + skipped, static_cast<size_t>(count));
  return count;
}

}  // namespace tapeworks
