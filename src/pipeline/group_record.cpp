#include "pipeline/group_record.h"

#include <bit>
#include <cstring>

namespace tapeworks {
namespace {

constexpr uint8_t kHasBuy = 1;
constexpr uint8_t kHasSell = 2;
constexpr uint8_t kHasSpecials = 4;
constexpr uint8_t kHasWideRow = 8;
/// Starts a chunk within a spilled block: chunks are joined there, and days start again from 0.
constexpr uint8_t kChunkStart = 128;

uint64_t zigzag_of(int64_t value) {
  return (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
}

uint8_t* put_varint(uint8_t* at, uint64_t value) {
  while (value >= 0x80) {
    *at++ = static_cast<uint8_t>(value | 0x80);
    value >>= 7;
  }
  *at++ = static_cast<uint8_t>(value);
  return at;
}

uint8_t* put_amount(uint8_t* at, Int128 amount) {
  const auto bits = static_cast<Uint128>(amount);
  const auto low = static_cast<uint64_t>(bits);
  const auto high = static_cast<uint64_t>(bits >> 64);
  const int zeros = low != 0 ? std::countr_zero(low) : high != 0 ? 64 + std::countr_zero(high) : 0;
  *at++ = static_cast<uint8_t>(zeros);
  const Int128 odd = amount >> zeros;
  Uint128 value = (static_cast<Uint128>(odd) << 1) ^ static_cast<Uint128>(odd >> 127);
  while (value >= 0x80) {
    *at++ = static_cast<uint8_t>(static_cast<uint8_t>(value) | 0x80);
    value >>= 7;
  }
  *at++ = static_cast<uint8_t>(value);
  return at;
}

}  // namespace

void RecordPacker::append(std::vector<std::byte>& chunk, const GroupRecord& group,
                          const WideRow* wide) {
  const bool has_buy = group.buy_shares != 0 || group.buy_units != 0;
  const bool has_sell = group.sell_shares != 0 || group.sell_units != 0;
  uint8_t buffer[kPackedRecordBytesMax];
  uint8_t* at = buffer;
  *at++ =
      static_cast<uint8_t>((has_buy ? kHasBuy : 0) | (has_sell ? kHasSell : 0) |
                           (group.specials != 0 ? kHasSpecials : 0) |
                           (wide != nullptr ? kHasWideRow : 0) | (chunk.empty() ? kChunkStart : 0));
  if (chunk.empty()) previous_day_ = 0;
  at = put_varint(at, group.symbol);
  at = put_varint(at, group.broker);
  at = put_varint(at, zigzag_of(int64_t{group.day.days_since_epoch} - previous_day_));
  previous_day_ = group.day.days_since_epoch;
  if (has_buy) {
    at = put_varint(at, zigzag_of(group.buy_shares));
    at = put_amount(at, group.buy_units);
  }
  if (has_sell) {
    at = put_varint(at, zigzag_of(group.sell_shares));
    at = put_amount(at, group.sell_units);
  }
  if (group.specials != 0) *at++ = group.specials;
  if (wide != nullptr) {
    at = put_varint(at, zigzag_of(wide->buy_shares));
    at = put_varint(at, zigzag_of(wide->sell_shares));
    at = put_varint(at, wide->price_text.size());
  }
  const auto* const bytes = reinterpret_cast<const std::byte*>(buffer);
  chunk.insert(chunk.end(), bytes, bytes + (at - buffer));
  if (wide != nullptr) {
    const auto text = std::as_bytes(std::span(wide->price_text));
    chunk.insert(chunk.end(), text.begin(), text.end());
  }
}

uint64_t RecordUnpacker::varint() {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const uint8_t byte = *at_++;
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
}

Uint128 RecordUnpacker::wide_varint() {
  Uint128 value = 0;
  for (int shift = 0;; shift += 7) {
    const uint8_t byte = *at_++;
    value |= static_cast<Uint128>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
}

int64_t RecordUnpacker::zigzag() {
  const uint64_t value = varint();
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

void RecordUnpacker::next(DecodedRecord& record) {
  GroupRecord& group = record.group;
  const auto amount = [&]() -> Int128 {
    const int zeros = *at_++;
    const Uint128 value = wide_varint();
    const Int128 odd = static_cast<Int128>(value >> 1) ^ -static_cast<Int128>(value & 1);
    return static_cast<Int128>(static_cast<Uint128>(odd) << zeros);
  };
  const uint8_t flags = *at_++;
  if ((flags & kChunkStart) != 0) previous_day_ = 0;
  group.symbol = static_cast<uint32_t>(varint());
  group.broker = static_cast<uint32_t>(varint());
  previous_day_ = static_cast<int32_t>(previous_day_ + zigzag());
  group.day = Day{previous_day_};
  group.buy_shares = (flags & kHasBuy) != 0 ? zigzag() : 0;
  group.buy_units = (flags & kHasBuy) != 0 ? amount() : 0;
  group.sell_shares = (flags & kHasSell) != 0 ? zigzag() : 0;
  group.sell_units = (flags & kHasSell) != 0 ? amount() : 0;
  group.specials = (flags & kHasSpecials) != 0 ? *at_++ : uint8_t{0};
  record.has_wide_row = (flags & kHasWideRow) != 0;
  if (!record.has_wide_row) return;
  record.wide.buy_shares = zigzag();
  record.wide.sell_shares = zigzag();
  const size_t length = varint();
  record.wide.price_text.assign(reinterpret_cast<const char*>(at_), length);
  at_ += length;
}

}  // namespace tapeworks
