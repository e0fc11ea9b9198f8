#include "storage/index_decoder.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "base/hot_loop.h"

namespace tapeworks {
namespace {

/// Up to eight bytes, little-endian, without reading past `end`.
uint64_t load_le(const uint8_t* from, const uint8_t* end) {
  if constexpr (std::endian::native == std::endian::little) {
    if (end - from >= 8) {
      uint64_t word = 0;
      std::memcpy(&word, from, 8);
      return word;
    }
  }
  uint64_t word = 0;
  for (int shift = 0; shift < 64 && from < end; shift += 8, ++from) {
    word |= static_cast<uint64_t>(*from) << shift;
  }
  return word;
}

TW_HOT_LOOP uint32_t largest_of(std::span<const int32_t> values) {
  uint32_t largest = 0;
  for (const int32_t value : values) largest = std::max(largest, static_cast<uint32_t>(value));
  return largest;
}

/// Eight values of kWidth bits each at a time; behind the last group eight bytes must be readable.
template <unsigned kWidth>
void unpack_groups(const uint8_t* packed, int32_t* values, size_t group_count) {
  constexpr uint64_t kMask = (uint64_t{1} << kWidth) - 1;
  for (size_t group = 0; group < group_count; ++group) {
    for (unsigned i = 0; i < 8; ++i) {
      uint64_t word = 0;
      std::memcpy(&word, packed + i * kWidth / 8, sizeof word);
      values[i] = static_cast<int32_t>(word >> (i * kWidth % 8) & kMask);
    }
    packed += kWidth;
    values += 8;
  }
}

using UnpackGroups = void (*)(const uint8_t*, int32_t*, size_t);

template <unsigned... kWidths>
constexpr std::array<UnpackGroups, sizeof...(kWidths)> unpackers(
    std::integer_sequence<unsigned, kWidths...>) {
  return {&unpack_groups<kWidths>...};
}
/// By bit width.
constexpr auto kUnpackers = unpackers(std::make_integer_sequence<unsigned, 33>{});

}  // namespace

bool IndexDecoder::next_run() {
  uint64_t header = 0;
  for (int shift = 0;; shift += 7) {
    if (at_ == end_ || shift > 35) return false;
    const uint8_t byte = *at_++;
    header |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) break;
  }
  const uint64_t count = header >> 1;
  if (count == 0) return false;
  if ((header & 1) == 0) {
    const int value_bytes = (bit_width_ + 7) / 8;
    if (end_ - at_ < value_bytes) return false;
    uint64_t value = 0;
    for (int i = 0; i < value_bytes; ++i) value |= static_cast<uint64_t>(*at_++) << (8 * i);
    repeated_value_ = static_cast<int32_t>(static_cast<uint32_t>(value));
    repeat_count_ = count;
    return true;
  }
  // A writer may leave away the bytes of the last group that no value needs.
  const uint64_t wanted_bytes = count * static_cast<uint64_t>(bit_width_);
  packed_ = at_;
  packed_bytes_ = std::min<uint64_t>(wanted_bytes, static_cast<uint64_t>(end_ - at_));
  is_cut_short_ |= packed_bytes_ < wanted_bytes;
  packed_bit_ = 0;
  packed_count_ = bit_width_ == 0
                      ? count * 8
                      : std::min(count * 8, packed_bytes_ * 8 / static_cast<uint64_t>(bit_width_));
  at_ += packed_bytes_;
  return packed_count_ > 0;
}

void IndexDecoder::unpack_some(std::span<int32_t> values) {
  const uint8_t* const end = packed_ + packed_bytes_;
  const auto width = static_cast<uint64_t>(bit_width_);
  const uint64_t mask = (uint64_t{1} << width) - 1;
  uint64_t bit = packed_bit_;
  for (int32_t& value : values) {
    const uint64_t word = load_le(packed_ + bit / 8, end);
    value = static_cast<int32_t>(static_cast<uint32_t>((word >> (bit % 8)) & mask));
    bit += width;
  }
  packed_bit_ = bit;
}

void IndexDecoder::unpack(std::span<int32_t> values) {
  if constexpr (std::endian::native == std::endian::little) {
    const auto width = static_cast<uint64_t>(bit_width_);
    if (packed_bit_ % 8 == 0 && values.size() >= 8) {
      const uint64_t begin = packed_bit_ / 8;
      // The last bytes are left to the careful loop, which does not read past them.
      const uint64_t readable = packed_bytes_ - begin;
      const uint64_t safe_groups = readable < 8 || width == 0 ? 0 : (readable - 8) / width;
      const uint64_t groups = std::min<uint64_t>(values.size() / 8, safe_groups);
      kUnpackers[width](packed_ + begin, values.data(), groups);
      packed_bit_ += groups * width * 8;
      values = values.subspan(groups * 8);
    }
  }
  unpack_some(values);
}

bool IndexDecoder::decode(std::span<int32_t> values) {
  uint32_t largest = 0;
  return decode(values, largest);
}

bool IndexDecoder::decode(std::span<int32_t> values, uint32_t& largest) {
  while (!values.empty()) {
    if (repeat_count_ > 0) {
      const size_t count = std::min<uint64_t>(repeat_count_, values.size());
      std::fill_n(values.begin(), count, repeated_value_);
      largest = std::max(largest, static_cast<uint32_t>(repeated_value_));
      repeat_count_ -= count;
      values = values.subspan(count);
    } else if (packed_count_ > 0) {
      const size_t count = std::min<uint64_t>(packed_count_, values.size());
      unpack(values.first(count));
      largest = std::max(largest, largest_of(values.first(count)));
      packed_count_ -= count;
      values = values.subspan(count);
    } else if (!next_run()) {
      return false;
    }
  }
  return true;
}

}  // namespace tapeworks
