#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "pipeline/bad_rows.h"
#include "pipeline/group_collector.h"
#include "pipeline/scan_facts.h"
#include "pipeline/transaction_source.h"
#include "storage/column_reader.h"
#include "storage/value_interner.h"

namespace tapeworks {

/// Texts numbered in order of arrival, shared by the scanning threads.
class SharedDictionary {
 public:
  uint32_t intern(std::string_view text) {
    const std::scoped_lock lock(mutex_);
    return interner_.intern(text);
  }
  /// Whether one text stands bytewise before another one.
  bool less(uint32_t number, uint32_t other) const {
    const std::scoped_lock lock(mutex_);
    return interner_.values()[number] < interner_.values()[other];
  }
  std::vector<std::string> texts() const {
    const std::scoped_lock lock(mutex_);
    return {interner_.values().begin(), interner_.values().end()};
  }
  uint64_t allocated_bytes() const {
    const std::scoped_lock lock(mutex_);
    return interner_.allocated_bytes();
  }

 private:
  mutable std::mutex mutex_;
  ValueInterner interner_;  // guarded by mutex_
};

/// The partition of a symbol: a stable hash of its text, the same in every process and on every
/// machine.
uint32_t partition_of(std::string_view symbol, size_t partition_count);

/// What all scanning threads share.
struct ScanShared {
  explicit ScanShared(MemoryBudget& budget) : memory(budget) {}

  /// Asks for what the dictionaries have grown to. kMemoryBudget when there is not that much.
  Status reserve_dictionaries();

  Mode mode = Mode::kDefault;
  size_t partition_count = 1;
  /// Rows of other days are passed over; null: all are wanted. Changes only between two scans.
  const std::set<Day>* wanted_days = nullptr;
  SharedDictionary symbols;
  SharedDictionary brokers;  ///< its number 0 stands for the null broker
  SharedDictionary broker_names;
  BadRowLog bad_rows;
  std::mutex memory_mutex;
  Reservation memory;  ///< of the dictionaries; guarded by memory_mutex
};

/// The scan of one thread: reads row groups and adds their rows to its collector. Threads: one.
class RowGroupScanner {
 public:
  RowGroupScanner(ScanShared& shared, RunStore& runs, MemoryBudget& budget);

  /// Rows of a row group; `file_index` names the file in the bad-row log.
  struct RowRange {
    size_t file_index = 0;
    int row_group = 0;
    int64_t begin = 0;
    int64_t end = 0;
  };
  Status scan(const TransactionFile& file, const RowRange& range);
  Status finish() { return collector_.finish(); }

  /// What the last scan() found beside the sums. To be called once after each scan().
  RowGroupFacts take_facts();

  const GroupCollector& collector() const { return collector_; }

 private:
  static constexpr uint32_t kNoName = ~uint32_t{0};
  /// By broker: the name of the latest day on which it has one.
  struct NameSeen {
    Day day = kNullDay;
    uint32_t name = kNoName;
  };
  static constexpr size_t kBatchRows = 4096;

  /// What the codes of one column chunk mean; index 0 is null, code c is at c + 1.
  template <typename Value>
  struct CodeTable {
    std::vector<Value> value;
    std::vector<RowProblem> problem;
  };

  struct Readers;
  struct Run;
  Result<bool> read_batch(Readers& readers, size_t count);
  Status start_chunk(Readers& readers, const TransactionFile& file);
  Status extend_tables(Readers& readers, const TransactionFile& file);
  Status reserve_tables(const TransactionFile& file);
  void add_symbol(std::string_view text);
  void add_broker(std::string_view text);
  /// kShifted: prices have shifts (AmountUnit::kBinary60).
  template <bool kShifted>
  void scan_batch(size_t row_count, const RowPlace& place, const Readers& readers,
                  const TransactionFile& file, bool counts_have_nulls);
  void scan_slow_row(size_t row, const RowPlace& place, const Readers& readers,
                     const TransactionFile& file, bool counts_have_nulls);
  void flush_run(const Run& run);
  void note_name(uint32_t broker, size_t day_index, uint32_t name);

  ScanShared& shared_;
  GroupCollector collector_;
  std::vector<NameSeen> names_;  // by broker number
  ProblemCounts problems_{};
  std::vector<uint8_t> day_counts_;  // by day code: whether a row of it counted; null is at 0

  CodeTable<uint32_t> symbols_;
  CodeTable<uint32_t> brokers_;
  CodeTable<Day> days_;
  CodeTable<Price> prices_;
  /// Per price code what one share adds to an amount, units << shift; kNoUnits sends the row the
  /// slow way.
  std::vector<int64_t> price_units_;
  std::vector<uint8_t> price_shifts_;
  std::vector<uint32_t> name_ids_;
  size_t table_values_ = 0;   // of all code tables
  Reservation table_memory_;  // of the code tables

  std::vector<int32_t> symbol_codes_, broker_codes_, day_codes_, price_codes_, name_codes_;
  std::vector<int64_t> buys_, sells_;
  std::vector<uint8_t> buy_nulls_, sell_nulls_;

  // The run of consecutive rows of one group that is being summed. No row has kNoCode.
  static constexpr int32_t kNoCode = -2;
  struct Run {
    int32_t symbol_code = kNoCode, broker_code = kNoCode, day_code = kNoCode, name_code = kNoCode;
    int64_t buy_shares = 0, sell_shares = 0;
    Int128 buy_units = 0, sell_units = 0;
  };
  static constexpr int64_t kNoUnits = INT64_MIN;
  Run run_;
};

}  // namespace tapeworks
