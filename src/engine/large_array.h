#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#include <sys/mman.h>

namespace tapeworks {

/// Uninitialised room for plain values, in large pages where the system has them: tables that are
/// written and read at random would otherwise wait for address translation. Its memory is the
/// system's again as soon as it is destroyed. Threads: one at a time.
template <typename Value>
class LargeArray {
  static_assert(std::is_trivially_copyable_v<Value>);

 public:
  LargeArray() = default;
  LargeArray(LargeArray&& other) noexcept { *this = std::move(other); }
  LargeArray& operator=(LargeArray&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(capacity_, other.capacity_);
    return *this;
  }
  LargeArray(const LargeArray&) = delete;
  LargeArray& operator=(const LargeArray&) = delete;
  ~LargeArray() {
    if (data_ != nullptr) ::munmap(data_, capacity_ * sizeof(Value));
  }

  Value* data() { return data_; }
  const Value* data() const { return data_; }
  size_t capacity() const { return capacity_; }
  Value& operator[](size_t index) { return data_[index]; }
  const Value& operator[](size_t index) const { return data_[index]; }

  /// Room for `count` values at least; what was there is lost when it has to grow.
  void make_room(size_t count) {
    if (count <= capacity_) return;
    *this = LargeArray();
    *this = LargeArray(count);
  }

 private:
  explicit LargeArray(size_t count) : capacity_(count) {
    const size_t bytes = count * sizeof(Value);
    void* const at =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
    (void)::madvise(at, bytes, MADV_HUGEPAGE);
#endif
    data_ = static_cast<Value*>(at);
  }

  Value* data_ = nullptr;
  size_t capacity_ = 0;
};

}  // namespace tapeworks
