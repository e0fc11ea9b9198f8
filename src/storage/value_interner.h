#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace tapeworks {

/// Gives equal byte strings the same number. Copies what it has not seen before; the copies stay
/// where they are until the interner is destroyed. Threads: one.
class ValueInterner {
 public:
  /// The number of `value` in the order of first appearance, starting with 0.
  uint32_t intern(std::string_view value);

  const std::vector<std::string_view>& values() const { return values_; }
  /// What the values and the tables over them take.
  uint64_t allocated_bytes() const {
    return block_bytes_ + values_.capacity() * sizeof(std::string_view) +
           hashes_.capacity() * sizeof(uint64_t) + slots_.capacity() * sizeof(uint32_t);
  }

 private:
  std::string_view copy(std::string_view value);
  void grow();

  std::vector<std::string_view> values_;
  std::vector<uint64_t> hashes_;
  std::vector<uint32_t> slots_;  // number + 1, 0 where empty; size is a power of two
  std::vector<std::unique_ptr<char[]>> blocks_;
  char* block_at_ = nullptr;
  size_t block_left_ = 0;
  uint64_t block_bytes_ = 0;
};

}  // namespace tapeworks
