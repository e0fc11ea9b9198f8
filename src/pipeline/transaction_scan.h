#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/calendar_day.h"
#include "base/result.h"
#include "engine/run_store.h"
#include "pipeline/bad_rows.h"
#include "pipeline/mode.h"
#include "pipeline/scan_facts.h"
#include "pipeline/transaction_source.h"

namespace tapeworks {

enum class OnBadRow { kFail, kSkip };

struct ScanOptions {
  Mode mode = Mode::kDefault;
  AmountWidth amounts = AmountWidth::kFloat32;
  TransactionColumnNames columns;
  DayRule days;
  OnBadRow on_bad_row = OnBadRow::kFail;
  /// With kSkip: more bad rows than this fail the run; nothing means 0.01 % of the rows.
  std::optional<uint64_t> bad_rows_max;
  size_t thread_count = 1;
};

/// What one pass over the input found: all groups as runs partitioned by symbol, and the
/// dictionaries that their numbers refer to.
///
/// The bytes of the runs depend on threads and budget; what they add up to does not.
struct TransactionRuns {
  std::unique_ptr<RunStore> runs;
  AmountUnit unit = AmountUnit::kBinary40;
  /// Texts by number; number 0 of the brokers is the null broker.
  std::vector<std::string> symbols;
  std::vector<std::string> brokers;
  std::vector<uint32_t> partition_of_symbol;
  std::vector<uint64_t> records_by_symbol;  ///< 0 for a symbol without accepted rows
  /// Of the latest day of each broker that has one, ties bytewise; by broker number.
  std::map<uint32_t, std::string> broker_names;
  uint64_t row_count = 0;
  ProblemCounts problems{};
  Day first_day;  ///< of the accepted rows; kNullDay when there is none
  Day last_day;
};

/// Scans the files once and pre-aggregates their rows by (symbol, broker, day).
///
/// With `inputs` it also learns what an incremental run will want to know of each row group, and of
/// row groups that are known already it reads only the rows of days that are replaced: those given
/// and those of the new row groups. The counts, days and names of the result are of all row groups.
///
/// `temp_folder` exists and takes what does not fit in the budget.
/// Errors: kCorrupt for malformed files, missing columns, and bad rows by ScanOptions::on_bad_row;
/// kIo; kMemoryBudget; kCancelled after a signal.
Result<TransactionRuns> scan_transactions(const std::vector<std::filesystem::path>& files,
                                          const ScanOptions& options, MemoryBudget& budget,
                                          const std::filesystem::path& temp_folder,
                                          InputFacts* inputs = nullptr);

}  // namespace tapeworks
