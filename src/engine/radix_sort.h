#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace tapeworks {

/// A sort key and where its record is.
struct KeyedIndex {
  uint64_t key = 0;
  uint32_t index = 0;
};

/// Sorts by the lowest `key_bits` bits of the key, ascending and stable: least significant digit
/// first, up to twelve bits a pass, passes in which all keys agree skipped. `scratch` is as long as
/// `items`; the result is in one of the two, and that is returned.
inline std::span<KeyedIndex> radix_sort(std::span<KeyedIndex> items, std::span<KeyedIndex> scratch,
                                        unsigned key_bits) {
  constexpr unsigned kDigitBitsMax = 12;
  const unsigned passes = std::max(1U, (key_bits + kDigitBitsMax - 1) / kDigitBitsMax);
  const unsigned digit_bits = (key_bits + passes - 1) / passes;
  const uint64_t mask = (uint64_t{1} << digit_bits) - 1;
  std::array<uint32_t, size_t{1} << kDigitBitsMax> position;
  for (unsigned shift = 0; shift < key_bits; shift += digit_bits) {
    const std::span digits = std::span(position).first(mask + 1);
    std::ranges::fill(digits, 0U);
    for (const KeyedIndex& item : items) ++digits[(item.key >> shift) & mask];
    uint32_t sum = 0;
    bool one_digit = false;
    for (uint32_t& entry : digits) {
      one_digit = one_digit || (entry == items.size());
      const uint32_t count = entry;
      entry = sum;
      sum += count;
    }
    if (one_digit) continue;
    for (const KeyedIndex& item : items) scratch[digits[(item.key >> shift) & mask]++] = item;
    std::swap(items, scratch);
  }
  return items;
}

}  // namespace tapeworks
