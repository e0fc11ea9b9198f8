#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/calendar_day.h"
#include "pipeline/bad_rows.h"
#include "storage/memory_budget.h"

namespace tapeworks {

/// The name of a broker on the latest day on which it has one, of two names that day the smaller
/// one. Numbers are those of the scan's dictionaries.
struct BrokerNameSeen {
  uint32_t broker = 0;
  Day day = kNullDay;
  uint32_t name = 0;
};

/// What is known of one row group beside its sums. The facts of all row groups together give the
/// facts of the whole input, so that a row group need not be read again for them.
struct RowGroupFacts {
  /// Told by an earlier scan; only its rows of replaced days are read.
  bool is_known = false;
  std::optional<uint64_t> xxh3;  ///< row_group_hash(); nothing: like no other row group
  uint64_t row_count = 0;
  ProblemCounts problems{};
  std::vector<Day> days;              ///< of the rows that count, ascending, each once
  std::vector<BrokerNameSeen> names;  ///< in no order; a broker may stand several times
};

/// The row groups of a scan's input: what is known beforehand, and afterwards what was found.
struct InputFacts {
  /// Texts by number; number 0 of the brokers is the null broker. Before the scan those that the
  /// known row groups refer to, after it all.
  std::vector<std::string> brokers;
  std::vector<std::string> names;
  /// By file and row group. A file without entries is new, and all of it is read.
  std::vector<std::vector<RowGroupFacts>> files;
  /// By file, of the footers that the scan read; 0 where one cannot be read again.
  std::vector<uint64_t> footer_xxh3;
  /// The days whose rows are read from every row group. The scan adds the days of new row groups.
  std::set<Day> replaced_days;
  /// False when there are more facts than the memory for them: then `files` lacks some.
  bool is_complete = true;
  Reservation memory;
};

/// Collects facts: totals always, those of each row group when somebody wants them.
/// Threads: add() from any; all else from one.
class ScanFacts {
 public:
  /// Facts of row groups may take kBytesMax, or an eighth of the budget if that is less.
  static constexpr uint64_t kBytesMax = uint64_t{256} * 1024 * 1024;

  /// `inputs` may be null. `names` are the texts of the numbers of names that are there already.
  ScanFacts(InputFacts* inputs, MemoryBudget& budget);

  /// Facts of a part of a row group. `is_smaller` orders two names by their texts.
  template <typename IsSmaller>
  void add(size_t file, int row_group, RowGroupFacts facts, const IsSmaller& is_smaller) {
    const std::scoped_lock lock(mutex_);
    total(facts, is_smaller);
    keep(file, row_group, std::move(facts));
  }
  /// Facts that are known before.
  template <typename IsSmaller>
  void add_known(const IsSmaller& is_smaller) {
    if (inputs_ == nullptr) return;
    for (const auto& row_groups : inputs_->files) {
      for (const RowGroupFacts& facts : row_groups) {
        if (facts.is_known) total(facts, is_smaller);
      }
    }
  }

  const ProblemCounts& problems() const { return problems_; }
  uint64_t bad_row_count() const;
  Day first_day() const { return first_day_; }  ///< kNullDay when no row counts
  Day last_day() const { return last_day_; }
  const std::map<uint32_t, BrokerNameSeen>& names() const { return names_; }

 private:
  template <typename IsSmaller>
  void total(const RowGroupFacts& facts, const IsSmaller& is_smaller) {
    total_counts(facts);
    for (const BrokerNameSeen& seen : facts.names) {
      const auto [entry, is_new] = names_.try_emplace(seen.broker, seen);
      BrokerNameSeen& best = entry->second;
      if (is_new || seen.day < best.day || (seen.day == best.day && seen.name == best.name)) {
        continue;
      }
      if (seen.day > best.day || is_smaller(seen.name, best.name)) best = seen;
    }
  }
  void total_counts(const RowGroupFacts& facts);
  void keep(size_t file, int row_group, RowGroupFacts facts);

  std::mutex mutex_;
  InputFacts* inputs_;
  uint64_t bytes_max_;
  // Guarded by mutex_ while threads add.
  ProblemCounts problems_{};
  Day first_day_ = kNullDay;
  Day last_day_ = kNullDay;
  std::map<uint32_t, BrokerNameSeen> names_;  // by broker
};

/// The memory that facts take.
uint64_t facts_bytes(const RowGroupFacts& facts);

}  // namespace tapeworks
