#include "storage/delta_encoder.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "base/hot_loop.h"
#include "storage/varint.h"

namespace tapeworks {
namespace {

constexpr size_t kMiniblocks = 4;
template <typename Value>
constexpr size_t kMiniblockValues = sizeof(Value) == 4 ? 32 : 64;
template <typename Value>
constexpr size_t kBlockValues = kMiniblocks * kMiniblockValues<Value>;
/// Values that are packed at once.
constexpr size_t kGroupValues = 32;
constexpr size_t kVarintBytesMax = 10;

static_assert(std::endian::native == std::endian::little, "packed values are little-endian");

uint8_t* put_zigzag(uint8_t* out, int64_t value) {
  return put_varint(out, static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63));
}

/// 32 values of `kWidth` bits are as many words of 32 bits. With the width known the compiler
/// makes every shift a constant.
template <unsigned kWidth>
void pack_words(const uint32_t* values, uint8_t* out) {
  std::array<uint32_t, kWidth> words{};
  for (unsigned i = 0; i < kGroupValues; ++i) {
    const unsigned bit = i * kWidth;
    words[bit / 32] |= values[i] << (bit % 32);
    if (bit % 32 + kWidth > 32) words[bit / 32 + 1] |= values[i] >> (32 - bit % 32);
  }
  std::memcpy(out, words.data(), sizeof words);
}

using PackWords = void (*)(const uint32_t*, uint8_t*);

template <size_t... kWidths>
constexpr std::array<PackWords, sizeof...(kWidths)> make_packers(
    std::index_sequence<kWidths...> /*widths less one*/) {
  return {&pack_words<static_cast<unsigned>(kWidths) + 1>...};
}

/// By the width less one.
constexpr auto kPackers = make_packers(std::make_index_sequence<32>());

void pack(const uint32_t* values, unsigned width, uint8_t* out) {
  if (width != 0) kPackers[width - 1](values, out);
}

void pack(const uint64_t* values, unsigned width, uint8_t* out) {
  constexpr size_t kValues = kMiniblockValues<uint64_t>;
  if (width <= 32) {
    std::array<uint32_t, kValues> narrow;
    for (size_t i = 0; i < kValues; ++i) narrow[i] = static_cast<uint32_t>(values[i]);
    for (size_t i = 0; i < kValues; i += kGroupValues, out += kGroupValues / 8 * width) {
      pack(narrow.data() + i, width, out);
    }
    return;
  }
  std::array<uint64_t, kValues + 1> words{};  // one more for a carry that is empty
  for (unsigned i = 0; i < kValues; ++i) {
    const unsigned bit = i * width;
    words[bit / 64] |= values[i] << (bit % 64);
    if (bit % 64 != 0) words[bit / 64 + 1] |= values[i] >> (64 - bit % 64);
  }
  std::memcpy(out, words.data(), kValues / 8 * width);
}

template <typename Unsigned>
struct Block {
  std::array<Unsigned, kBlockValues<Unsigned>> excess;  ///< of the differences over the smallest
  std::make_signed_t<Unsigned> least = 0;
  std::array<Unsigned, kMiniblocks> any_bit{};  ///< set in one of the miniblock
};

/// Of a full block: `values` has one value more, in front.
template <typename Value>
inline void subtract_all(const Value* values, Block<std::make_unsigned_t<Value>>& block) {
  using Unsigned = std::make_unsigned_t<Value>;
  std::array<Value, kBlockValues<Value>> deltas;
  Value least = std::numeric_limits<Value>::max();
  for (size_t i = 0; i < kBlockValues<Value>; ++i) {
    deltas[i] =
        static_cast<Value>(static_cast<Unsigned>(values[i + 1]) - static_cast<Unsigned>(values[i]));
    least = std::min(least, deltas[i]);
  }
  block.least = least;
  for (size_t part = 0; part < kMiniblocks; ++part) {
    Unsigned any_bit = 0;
    const size_t begin = part * kMiniblockValues<Value>;
    for (size_t i = begin; i < begin + kMiniblockValues<Value>; ++i) {
      block.excess[i] = static_cast<Unsigned>(deltas[i]) - static_cast<Unsigned>(least);
      any_bit |= block.excess[i];
    }
    block.any_bit[part] = any_bit;
  }
}

TW_HOT_LOOP void subtract(const int32_t* values, Block<uint32_t>& block) {
  subtract_all(values, block);
}
TW_HOT_LOOP void subtract(const int64_t* values, Block<uint64_t>& block) {
  subtract_all(values, block);
}

/// The `count` differences of a last block. What is behind them is zeros, and packed only as far as
/// the miniblock that the last one stands in goes.
template <typename Value>
void subtract_some(const Value* values, size_t count, Block<std::make_unsigned_t<Value>>& block) {
  using Unsigned = std::make_unsigned_t<Value>;
  Value least = std::numeric_limits<Value>::max();
  const auto delta_of = [&](size_t i) {
    return static_cast<Unsigned>(values[i + 1]) - static_cast<Unsigned>(values[i]);
  };
  for (size_t i = 0; i < count; ++i) least = std::min(least, static_cast<Value>(delta_of(i)));
  block.least = least;
  block.excess.fill(0);
  block.any_bit.fill(0);
  for (size_t i = 0; i < count; ++i) {
    block.excess[i] = delta_of(i) - static_cast<Unsigned>(least);
    block.any_bit[i / kMiniblockValues<Value>] |= block.excess[i];
  }
}

template <typename Unsigned>
uint8_t* put_block(const Block<Unsigned>& block, size_t count, uint8_t* out) {
  out = put_zigzag(out, block.least);
  uint8_t* const widths = out;
  out += kMiniblocks;
  for (size_t part = 0; part < kMiniblocks; ++part) {
    const size_t begin = part * kMiniblockValues<Unsigned>;
    const bool is_used = begin < count;
    const auto width = static_cast<unsigned>(std::bit_width(block.any_bit[part]));
    widths[part] = static_cast<uint8_t>(is_used ? width : 0);
    if (!is_used) continue;
    pack(block.excess.data() + begin, width, out);
    out += kMiniblockValues<Unsigned> / 8 * width;
  }
  return out;
}

template <typename Value>
uint8_t* encode(std::span<const Value> values, uint8_t* out) {
  out = put_varint(out, kBlockValues<Value>);
  out = put_varint(out, kMiniblocks);
  out = put_varint(out, values.size());
  out = put_zigzag(out, values.empty() ? 0 : values[0]);
  Block<std::make_unsigned_t<Value>> block;
  for (size_t at = 0; at + 1 < values.size(); at += kBlockValues<Value>) {
    const size_t count = std::min(kBlockValues<Value>, values.size() - 1 - at);
    if (count == kBlockValues<Value>) {
      subtract(values.data() + at, block);
    } else {
      subtract_some(values.data() + at, count, block);
    }
    out = put_block(block, count, out);
  }
  return out;
}

}  // namespace

size_t encoded_deltas_bytes_max(size_t value_count, size_t value_bytes) {
  const size_t block_values = value_bytes == 4 ? kBlockValues<int32_t> : kBlockValues<int64_t>;
  const size_t blocks = value_count / block_values + 1;
  return 4 * kVarintBytesMax +
         blocks * (kVarintBytesMax + kMiniblocks + block_values * value_bytes);
}

uint8_t* encode_deltas(std::span<const int32_t> values, uint8_t* out) {
  return encode(values, out);
}

uint8_t* encode_deltas(std::span<const int64_t> values, uint8_t* out) {
  return encode(values, out);
}

}  // namespace tapeworks
