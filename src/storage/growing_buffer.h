#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include <arrow/buffer.h>
#include <arrow/result.h>

namespace tapeworks {

/// Bytes that grow and are kept for the next use, until they are given back.
class GrowingBuffer {
 public:
  explicit GrowingBuffer(arrow::MemoryPool* pool) : pool_(pool) {}

  size_t size() const { return size_; }
  uint8_t* data() { return buffer_ == nullptr ? nullptr : buffer_->mutable_data(); }
  void clear() { size_ = 0; }
  void set_size(size_t size) { size_ = size; }

  /// Forgets the content, and gives the memory back if it is more than `kept_bytes_max`.
  void give_back(size_t kept_bytes_max) {
    clear();
    if (buffer_ != nullptr && static_cast<size_t>(buffer_->capacity()) > kept_bytes_max) {
      buffer_.reset();
    }
  }

  /// Room for `bytes` more behind the content; returns where they begin.
  arrow::Result<uint8_t*> room(size_t bytes) {
    const size_t needed = size_ + bytes;
    if (buffer_ == nullptr) {
      ARROW_ASSIGN_OR_RAISE(buffer_, arrow::AllocateResizableBuffer(0, pool_));
    }
    if (static_cast<size_t>(buffer_->capacity()) < needed) {
      const size_t capacity = std::max(needed, static_cast<size_t>(buffer_->capacity()) * 2);
      ARROW_RETURN_NOT_OK(buffer_->Reserve(static_cast<int64_t>(capacity)));
    }
    return data() + size_;
  }

  arrow::Status append(const void* bytes, size_t count) {
    ARROW_ASSIGN_OR_RAISE(uint8_t* const to, room(count));
    if (count != 0) std::memcpy(to, bytes, count);
    size_ += count;
    return arrow::Status::OK();
  }

 private:
  arrow::MemoryPool* pool_;
  std::unique_ptr<arrow::ResizableBuffer> buffer_;
  size_t size_ = 0;
};

}  // namespace tapeworks
