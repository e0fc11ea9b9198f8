#include "storage/value_interner.h"

#include <algorithm>
#include <cstring>

#include <xxhash.h>

namespace tapeworks {
namespace {
constexpr size_t kBlockBytes = 64 * 1024;
constexpr size_t kFirstSlots = 64;
}  // namespace

uint32_t ValueInterner::intern(std::string_view value) {
  // Three quarters full at most.
  if (values_.size() * 4 >= slots_.size() * 3) grow();
  const uint64_t hash = XXH3_64bits(value.data(), value.size());
  const size_t mask = slots_.size() - 1;
  for (size_t slot = hash & mask;; slot = (slot + 1) & mask) {
    if (slots_[slot] == 0) {
      values_.push_back(copy(value));
      hashes_.push_back(hash);
      slots_[slot] = static_cast<uint32_t>(values_.size());
      return slots_[slot] - 1;
    }
    const uint32_t number = slots_[slot] - 1;
    if (hashes_[number] == hash && values_[number] == value) return number;
  }
}

std::string_view ValueInterner::copy(std::string_view value) {
  if (value.empty()) return {};
  if (value.size() > block_left_) {
    const size_t size = std::max(kBlockBytes, value.size());
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(size));
    block_bytes_ += size;
    block_at_ = blocks_.back().get();
    block_left_ = size;
  }
  std::memcpy(block_at_, value.data(), value.size());
  const std::string_view stored{block_at_, value.size()};
  block_at_ += value.size();
  block_left_ -= value.size();
  return stored;
}

void ValueInterner::grow() {
  slots_.assign(std::max(kFirstSlots, slots_.size() * 2), 0);
  const size_t mask = slots_.size() - 1;
  for (uint32_t number = 0; number < values_.size(); ++number) {
    size_t slot = hashes_[number] & mask;
    while (slots_[slot] != 0) slot = (slot + 1) & mask;
    slots_[slot] = number + 1;
  }
}

}  // namespace tapeworks
