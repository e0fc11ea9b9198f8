#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "engine/large_array.h"
#include "engine/radix_sort.h"
#include "pipeline/daily_summary.h"
#include "pipeline/group_record.h"
#include "pipeline/mode.h"
#include "pipeline/transaction_scan.h"

namespace tapeworks {

/// How records are ordered and rounded: the same for all partitions, made once after the scan.
struct RecordOrder {
  /// `runs` must outlive the order.
  RecordOrder(const TransactionRuns& runs, Mode mode, AmountWidth amounts);

  uint64_t day_key(Day day) const {
    // A null date sorts first.
    return day == kNullDay
               ? 0
               : static_cast<uint64_t>(day.days_since_epoch - first_day.days_since_epoch) + 1;
  }
  Day day_of_key(uint64_t key) const {
    if (key == 0) return kNullDay;
    return Day{static_cast<int32_t>(first_day.days_since_epoch + static_cast<int64_t>(key) - 1)};
  }

  const TransactionRuns& runs;
  Mode mode;
  AmountWidth amounts;
  std::vector<uint32_t> broker_rank;     ///< by broker number: bytewise, the null broker is 0
  std::vector<uint32_t> broker_by_rank;  ///< the other way round
  unsigned broker_bits = 0;
  unsigned day_bits = 0;
  Day first_day;
};

/// What one pass over a partition's runs sorts: some whole symbols of it, or of a single symbol the
/// brokers whose ranks are in [first_rank, end_rank).
struct SortPass {
  std::span<const uint32_t> symbols;  ///< in bytewise order of their texts
  uint32_t first_rank = 0;
  uint32_t end_rank = ~uint32_t{0};
  uint64_t record_count = 0;  ///< no more than these are met
};

/// Sorts the records of one pass by (symbol, broker, date) and adds up those of one group.
/// Reused from pass to pass, so that its memory is taken once. Threads: one.
class PartitionSorter {
 public:
  /// `order` must outlive the sorter.
  explicit PartitionSorter(const RecordOrder& order);

  /// What sorting takes per record, and what its row takes in a summary and on the way into a file.
  static constexpr uint64_t kSortBytesPerRecord = 64;
  static constexpr uint64_t kRowBytes = 64;
  static constexpr uint64_t kBytesPerRecord = kSortBytesPerRecord + kRowBytes;

  /// Reads the pass's records from the runs of `partition` and sorts them.
  /// kIo when runs cannot be read back, kCorrupt when the keys do not fit in 64 bits.
  Status load(size_t partition, const SortPass& pass);

  /// Appends the rows of the pass's symbol at `position` to `summary`. To be called for every
  /// position in ascending order. kCorrupt for sums that do not fit (rules of the modes).
  Status append_rows(size_t position, DailySummary& summary);

  /// Gives back what the passes so far have taken.
  void release_memory();

 private:
  /// A record as it is sorted: the amounts as odd << zeros. What does not fit stands aside, and
  /// buy_odd says where.
  struct Record {
    int64_t buy_odd;
    int64_t sell_odd;
    int32_t buy_shares;
    int32_t sell_shares;
    uint8_t buy_zeros;
    uint8_t sell_zeros;
    uint8_t specials;
    bool is_aside;
  };
  static_assert(sizeof(Record) == 32);

  /// The sums of a group, or the part of it that one record holds.
  struct Sums {
    int64_t buy_shares = 0;
    int64_t sell_shares = 0;
    Int128 buy_units = 0;
    Int128 sell_units = 0;
    uint8_t specials = 0;
  };

  void make_room(uint64_t record_count);
  void add(const DecodedRecord& decoded, uint64_t key);
  Sums sums_of(const Record& record) const;
  void fetch_ahead_of(size_t key);
  Sums total(size_t begin, size_t end);
  Status append_group(DailySummary& summary, Day day, size_t begin, size_t end);
  /// The rows of most groups: one record, nothing unusual. False when it is not one of them.
  bool append_plain_group(DailySummary& summary, Day day, const Record& record) const;
  void append_row(DailySummary& summary, Day day, int64_t buy_shares, int64_t sell_shares,
                  double buy_amount, double sell_amount) const;
  std::vector<WideTerm> wide_terms(size_t begin, size_t end, bool is_sell) const;
  double amount(Int128 units, unsigned specials, const std::vector<WideTerm>& wide) const;
  double rounded(double exact) const;

  const RecordOrder& order_;
  std::span<const uint32_t> symbols_;
  std::vector<uint32_t> position_of_symbol_;  // kNoPosition for those that are not of the pass
  LargeArray<Record> records_;
  LargeArray<KeyedIndex> key_room_;
  LargeArray<KeyedIndex> sort_scratch_;
  size_t record_count_ = 0;
  std::span<KeyedIndex> keys_;  // sorted, one a record
  size_t next_key_ = 0;
  size_t fetched_ = 0;  // records of the keys before are in the cache, or on their way
  std::vector<Sums> aside_;
  std::unordered_map<uint32_t, WideRow> wide_rows_;  // by record
  std::vector<double> scale_;  // by trailing zeros: what one such unit is worth; empty for 10^-12
};

}  // namespace tapeworks
