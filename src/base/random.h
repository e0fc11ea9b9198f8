#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace tapeworks {

// Random numbers by counter: the number at (key, index) is a pure function of both. So any part of
// a large random structure can be made again, in any order and in any thread, and the numbers are
// the same on every platform, which the distributions of the standard library do not promise.

/// A bijection that scatters every bit of `value` over all 64 bits (the finaliser of splitmix64).
constexpr uint64_t mix_bits(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

/// 64 random bits: number `index` of the stream `key`.
constexpr uint64_t random_bits(uint64_t key, uint64_t index) {
  return mix_bits(key + (index + 1) * 0x9e3779b97f4a7c15);
}

/// The key of a stream of its own for number `index` below `key`.
constexpr uint64_t derive_key(uint64_t key, uint64_t index) {
  return mix_bits(random_bits(key, index) ^ 0xd1b54a32d192ed03);
}

/// In [0, 1), from the upper 53 bits.
constexpr double unit_interval(uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }

/// In [0, count), from the upper 32 bits; the bias is below count / 2^32.
constexpr uint32_t random_below(uint64_t bits, uint32_t count) {
  return static_cast<uint32_t>(((bits >> 32) * count) >> 32);
}

/// Mean 0, variance 1, bell-shaped and within +-3.47: the sum of four 16-bit fields. Good enough
/// for made-up data, and exact everywhere.
constexpr double bell_shaped(uint64_t bits) {
  const uint64_t sum =
      (bits & 0xffff) + ((bits >> 16) & 0xffff) + ((bits >> 32) & 0xffff) + (bits >> 48);
  // The variance of one uniform 16-bit field is (2^32 - 1) / 12, so four of them have 2^32 / 3.
  constexpr double kDeviation = 37837.22;
  return (static_cast<double>(sum) - 2 * 65535.0) / kDeviation;
}

/// Puts `items` into a random order (Fisher-Yates). At most 2^32 - 1 items.
template <typename T>
void shuffle_items(std::span<T> items, uint64_t key) {
  using std::swap;
  for (size_t left = items.size(); left > 1; --left) {
    swap(items[left - 1], items[random_below(random_bits(key, left), static_cast<uint32_t>(left))]);
  }
}

}  // namespace tapeworks
