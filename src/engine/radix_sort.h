#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tapeworks {

/// A sort key and where its record is.
struct KeyedIndex {
  uint64_t key = 0;
  uint32_t index = 0;
};

/// Sorts by the lowest `key_bits` bits of the key, ascending and stable: least significant digit
/// first, eleven bits a pass, passes in which all keys agree skipped. `scratch` is resized as
/// needed.
inline void radix_sort(std::vector<KeyedIndex>& items, std::vector<KeyedIndex>& scratch,
                       unsigned key_bits) {
  constexpr unsigned kDigitBits = 11;
  constexpr size_t kDigits = size_t{1} << kDigitBits;
  scratch.resize(items.size());
  for (unsigned shift = 0; shift < key_bits; shift += kDigitBits) {
    std::array<uint32_t, kDigits> position{};
    for (const KeyedIndex& item : items) ++position[(item.key >> shift) & (kDigits - 1)];
    uint32_t sum = 0;
    bool one_digit = false;
    for (uint32_t& entry : position) {
      one_digit = one_digit || (entry == items.size());
      const uint32_t count = entry;
      entry = sum;
      sum += count;
    }
    if (one_digit) continue;
    for (const KeyedIndex& item : items) {
      scratch[position[(item.key >> shift) & (kDigits - 1)]++] = item;
    }
    items.swap(scratch);
  }
}

}  // namespace tapeworks
