#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/calendar_day.h"
#include "pipeline/price.h"

namespace tapeworks {

/// Special prices of a group's rows, as bits of GroupRecord::specials (compat modes only).
enum SpecialBit : uint8_t {
  kBuyNotANumber = 1,
  kBuyPlusInfinity = 2,
  kBuyMinusInfinity = 4,
  kSellNotANumber = 8,
  kSellPlusInfinity = 16,
  kSellMinusInfinity = 32,
};

/// A part of one group (symbol, broker, date): sums over some of its rows. Symbols and brokers are
/// numbers of the scan's dictionaries. Parts of the same group are added up later, in any order.
struct GroupRecord {
  uint32_t symbol = 0;
  uint32_t broker = 0;
  Day day;
  uint8_t specials = 0;
  int64_t buy_shares = 0;
  int64_t sell_shares = 0;
  Int128 buy_units = 0;  ///< exact amount in the scan's AmountUnit
  Int128 sell_units = 0;
};

/// A row whose price is outside the range of units: its amounts are shares x the price text.
struct WideRow {
  int64_t buy_shares = 0;
  int64_t sell_shares = 0;
  std::string price_text;
};

/// A record as it comes back from a run.
struct DecodedRecord {
  GroupRecord group;
  bool has_wide_row = false;
  WideRow wide;
};

// The packed form, in the order of its fields (docs/formats/runs.md):
//
//   flags u8              1: a buy side, 2: a sell side, 4: specials, 8: a wide row,
//                         128: the first record of a chunk
//   symbol, broker        varint each
//   day                   zigzag varint, the difference to the day of the record before (first: to
//   0) per side present      shares zigzag varint; trailing zero bits of the amount u8; the amount
//                         without them, zigzag varint of up to 128 bits
//   specials              u8
//   wide row              buy shares, sell shares zigzag varint; text length varint; text

/// No packed record without a wide row is longer.
inline constexpr size_t kPackedRecordBytesMax = 128;

/// Packs records one after the other into a chunk of bytes.
class RecordPacker {
 public:
  void append(std::vector<std::byte>& chunk, const GroupRecord& group) {
    append(chunk, group, nullptr);
  }
  void append(std::vector<std::byte>& chunk, const GroupRecord& group, const WideRow* wide);

 private:
  int32_t previous_day_ = 0;
};

/// Reads a chunk back. The chunk must be one that RecordPacker made.
class RecordUnpacker {
 public:
  explicit RecordUnpacker(std::span<const std::byte> chunk)
      : at_(reinterpret_cast<const uint8_t*>(chunk.data())), end_(at_ + chunk.size()) {}

  bool at_end() const { return at_ == end_; }
  /// Only when not at_end(). `wide` is left alone unless has_wide_row.
  void next(DecodedRecord& record);

 private:
  uint64_t varint();
  Uint128 wide_varint();
  int64_t zigzag();

  const uint8_t* at_;
  const uint8_t* end_;
  int32_t previous_day_ = 0;
};

}  // namespace tapeworks
