#include "pipeline/group_record.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace tapeworks {
namespace {

constexpr uint8_t kWideNumbers = 1;
constexpr uint8_t kAbsoluteDay = 2;
constexpr uint8_t kHasSpecials = 4;
constexpr uint8_t kHasWideRow = 8;
constexpr uint8_t kSameSymbolAndDay = 16;

/// In the lower half of a side's sizes: the amount has 16 bytes.
constexpr unsigned kLargeAmount = 15;

/// Unpacking loads eight bytes at a time, so near its end a chunk is read from a copy with room.
constexpr size_t kLoadBytesMax = 8;

static_assert(std::endian::native == std::endian::little, "records are packed little-endian");

uint64_t zigzag_of(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}

int64_t from_zigzag(uint64_t value) {
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

unsigned byte_count_of(uint64_t value) {
  return (static_cast<unsigned>(std::bit_width(value)) + 7) / 8;
}

template <typename Number>
uint8_t* put(uint8_t* at, Number value) {
  std::memcpy(at, &value, sizeof value);
  return at + sizeof value;
}

template <typename Number>
Number take(const uint8_t*& at) {
  Number value{};
  std::memcpy(&value, at, sizeof value);
  at += sizeof value;
  return value;
}

/// The next `byte_count` bytes, at most eight; eight must be readable.
uint64_t take_bytes(const uint8_t*& at, unsigned byte_count) {
  static constexpr std::array<uint64_t, 9> kMasks = [] {
    std::array<uint64_t, 9> masks{};
    for (unsigned i = 1; i < masks.size(); ++i) masks[i] = masks[i - 1] << 8 | 0xff;
    return masks;
  }();
  uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  at += byte_count;
  return word & kMasks[byte_count];
}

int trailing_zeros(Int128 value) {
  const auto low = static_cast<uint64_t>(static_cast<Uint128>(value));
  if (low != 0) return std::countr_zero(low);
  const auto high = static_cast<uint64_t>(static_cast<Uint128>(value) >> 64);
  return high == 0 ? 0 : 64 + std::countr_zero(high);
}

/// Whether a side is empty is as good as random, so nothing here branches on it.
uint8_t* put_side(uint8_t* at, uint8_t& sizes, int64_t shares, Int128 units) {
  const int zeros = trailing_zeros(units);
  const Int128 shifted = units >> zeros;
  const auto odd = static_cast<int64_t>(shifted);
  const bool is_large = shifted != odd;
  const uint64_t share_bits = zigzag_of(shares);
  const unsigned share_bytes = byte_count_of(share_bits);
  const uint64_t odd_bits = zigzag_of(odd);
  const unsigned odd_bytes = is_large ? kLargeAmount : byte_count_of(odd_bits);
  sizes = static_cast<uint8_t>(share_bytes << 4 | odd_bytes);
  *at = static_cast<uint8_t>(zeros);
  at += sizes != 0 ? 1 : 0;
  put(at, share_bits);
  at += share_bytes;
  if (is_large) [[unlikely]]
    return put(at, units);
  put(at, odd_bits);
  return at + odd_bytes;
}

void take_side(const uint8_t*& at, unsigned sizes, DecodedSide& side) {
  const bool present = sizes != 0;
  side.zeros = static_cast<uint8_t>(present ? *at : 0);
  at += present ? 1 : 0;
  side.shares = from_zigzag(take_bytes(at, sizes >> 4));
  side.is_large = (sizes & 15) == kLargeAmount;
  if (side.is_large) [[unlikely]] {
    side.large = take<Int128>(at);
    side.odd = 0;
  } else {
    side.odd = from_zigzag(take_bytes(at, sizes & 15));
  }
}

/// Reads one record, all of it but a wide row. `record` holds symbol and day of the one before;
/// `at` must have kPackedRecordBytesMax readable bytes.
const uint8_t* unpack_group(const uint8_t* at, DecodedRecord& record) {
  const uint8_t flags = *at++;
  const unsigned buy_sizes = *at++;
  const unsigned sell_sizes = *at++;
  const bool wide_numbers = (flags & kWideNumbers) != 0;
  record.broker = wide_numbers ? take<uint32_t>(at) : take<uint16_t>(at);
  if ((flags & kSameSymbolAndDay) == 0) {
    record.symbol = wide_numbers ? take<uint32_t>(at) : take<uint16_t>(at);
    record.day.days_since_epoch = (flags & kAbsoluteDay) != 0
                                      ? take<int32_t>(at)
                                      : record.day.days_since_epoch + take<int8_t>(at);
  }
  take_side(at, buy_sizes, record.buy);
  take_side(at, sell_sizes, record.sell);
  record.specials = (flags & kHasSpecials) != 0 ? *at++ : uint8_t{0};
  record.has_wide_row = (flags & kHasWideRow) != 0;
  return at;
}

}  // namespace

uint8_t* RecordPacker::pack_group(uint8_t* at, const GroupRecord& group, bool is_first,
                                  bool has_wide_row) {
  const bool wide_numbers = (group.symbol | group.broker) > 0xffff;
  const int64_t day_difference = int64_t{group.day.days_since_epoch} - previous_day_;
  // Input comes a symbol and day at a time.
  const bool same = !is_first && day_difference == 0 && group.symbol == previous_symbol_;
  const bool absolute_day = is_first || day_difference != static_cast<int8_t>(day_difference);
  start_from(group.symbol, group.day);
  *at++ =
      static_cast<uint8_t>((wide_numbers ? kWideNumbers : 0) | (absolute_day ? kAbsoluteDay : 0) |
                           (group.specials != 0 ? kHasSpecials : 0) |
                           (has_wide_row ? kHasWideRow : 0) | (same ? kSameSymbolAndDay : 0));
  uint8_t* const sizes = at;
  at += 2;
  at = wide_numbers ? put(at, group.broker) : put(at, static_cast<uint16_t>(group.broker));
  if (!same) {
    at = wide_numbers ? put(at, group.symbol) : put(at, static_cast<uint16_t>(group.symbol));
    at = absolute_day ? put(at, group.day.days_since_epoch)
                      : put(at, static_cast<int8_t>(day_difference));
  }
  at = put_side(at, sizes[0], group.buy_shares, group.buy_units);
  at = put_side(at, sizes[1], group.sell_shares, group.sell_units);
  if (group.specials != 0) *at++ = group.specials;
  return at;
}

std::byte* RecordPacker::pack(std::byte* at, const GroupRecord& group, bool is_first) {
  return reinterpret_cast<std::byte*>(
      pack_group(reinterpret_cast<uint8_t*>(at), group, is_first, false));
}

void RecordPacker::pack_wide(std::vector<std::byte>& out, const GroupRecord& group,
                             const WideRow& wide) {
  std::array<uint8_t, 2 * kPackedRecordBytesMax> buffer;
  uint8_t* at = pack_group(buffer.data(), group, true, true);
  at = put(put(at, wide.buy_shares), wide.sell_shares);
  at = put(at, static_cast<uint32_t>(wide.price_text.size()));
  const auto record = std::as_bytes(std::span(buffer.data(), at));
  const auto text = std::as_bytes(std::span(wide.price_text));
  out.insert(out.end(), record.begin(), record.end());
  out.insert(out.end(), text.begin(), text.end());
}

void RecordUnpacker::next(DecodedRecord& record) {
  record.symbol = previous_symbol_;
  record.day = Day{previous_day_};
  const auto left = static_cast<size_t>(end_ - at_);
  if (left >= kPackedRecordBytesMax + kLoadBytesMax) [[likely]] {
    at_ = unpack_group(at_, record);
  } else {
    std::array<uint8_t, kPackedRecordBytesMax + kLoadBytesMax> copy{};
    std::copy(at_, end_, copy.begin());
    at_ += unpack_group(copy.data(), record) - copy.data();
  }
  previous_symbol_ = record.symbol;
  previous_day_ = record.day.days_since_epoch;
  if (!record.has_wide_row) return;
  record.wide.buy_shares = take<int64_t>(at_);
  record.wide.sell_shares = take<int64_t>(at_);
  const auto length = take<uint32_t>(at_);
  record.wide.price_text.assign(reinterpret_cast<const char*>(at_), length);
  at_ += length;
}

}  // namespace tapeworks
