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

/// The shares and the amount of one side as they come back from a run: units = odd << zeros. An
/// amount that 64 bits cannot hold so is in `large`.
struct DecodedSide {
  int64_t shares = 0;
  int64_t odd = 0;
  uint8_t zeros = 0;
  bool is_large = false;
  Int128 large = 0;

  Int128 units() const {
    return is_large ? large : static_cast<Int128>(static_cast<Uint128>(Int128{odd}) << zeros);
  }
};

/// A record as it comes back from a run.
struct DecodedRecord {
  uint32_t symbol = 0;
  uint32_t broker = 0;
  Day day;
  uint8_t specials = 0;
  bool has_wide_row = false;
  DecodedSide buy;
  DecodedSide sell;
  WideRow wide;
};

// The packed form, in the order of its fields (docs/formats/runs.md). Numbers are little-endian.
//
//   flags u8              1: numbers of 32 bits, 2: the day itself, 4: specials, 8: a wide row,
//                         16: symbol and day of the record before
//   sizes                 u8 for the buy side and u8 for the sell side: bytes of the shares << 4 |
//                         bytes of the amount, where 15 means 16 bytes; 0: the side is empty
//   broker, symbol        u16 each (flag 1: u32); with flag 16 without the symbol
//   day                   i8, the difference to the record before (flag 2: i32, the day; flag 16:
//                         nothing)
//   per side not empty    trailing zero bits of the amount u8; the shares; the amount without those
//                         zeros; both zigzag, but not an amount of 16 bytes
//   specials              u8
//   wide row              buy shares, sell shares i64; text length u32; text
//
// The first record of a chunk has flag 2, so chunks may be joined.

/// No packed record without a wide row is longer.
inline constexpr size_t kPackedRecordBytesMax = 80;

/// Packs records one after the other. Threads: one.
class RecordPacker {
 public:
  /// Writes at most kPackedRecordBytesMax bytes to `at` and returns the end. `is_first` in a chunk.
  std::byte* pack(std::byte* at, const GroupRecord& group, bool is_first);
  /// The record before the next one, made by another packer, was of this symbol and day.
  void start_from(uint32_t symbol, Day day) {
    previous_symbol_ = symbol;
    previous_day_ = day.days_since_epoch;
  }
  /// Appends a record with a wide row, which may stand anywhere in a chunk.
  void pack_wide(std::vector<std::byte>& out, const GroupRecord& group, const WideRow& wide);

 private:
  uint8_t* pack_group(uint8_t* at, const GroupRecord& group, bool is_first, bool has_wide_row);

  uint32_t previous_symbol_ = 0;
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
  const uint8_t* at_;
  const uint8_t* end_;
  uint32_t previous_symbol_ = 0;
  int32_t previous_day_ = 0;
};

}  // namespace tapeworks
