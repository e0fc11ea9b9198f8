#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/result.h"
#include "pipeline/daily_summary.h"
#include "pipeline/mode.h"
#include "storage/manifest.h"

namespace tapeworks {

/// The columns of daily_summary/{symbol}.parquet: broker dictionary<int32, utf8>, date date32,
/// buy_shares and sell_shares int32, buy_amount and sell_amount float32 or float64.
/// The table refers to the arrays of `summary`, which must stay as they are while it lives.
Result<std::shared_ptr<arrow::Table>> daily_summary_table(const DailySummary& summary,
                                                          AmountWidth amounts,
                                                          arrow::MemoryPool* pool);

/// The symbol whose columns a file holds: its name without ".parquet".
std::string symbol_of_file(const std::filesystem::path& path);

/// The width that the manifest says a table of amounts or closes has; float32 where it says none.
AmountWidth amounts_of(const Table& table);

/// Reads one file of daily_summary; the symbol is the file's name without ".parquet".
/// Errors: as read_parquet; kCorrupt also for columns of wrong type or rows out of order.
Result<DailySummary> read_daily_summary(const std::filesystem::path& path, arrow::MemoryPool* pool);

/// Reads such files one after the other into memory that it keeps: where thousands are read, fresh
/// memory for each costs a tenth of the time. Threads: one at a time.
class DailySummaryReader {
 public:
  /// `pool` must outlive the reader.
  explicit DailySummaryReader(arrow::MemoryPool* pool) : pool_(pool) {}

  /// The summary is the reader's, and is there until the next call. Errors: as
  /// read_daily_summary().
  Result<const DailySummary*> read(const std::filesystem::path& path);

 private:
  friend Result<DailySummary> read_daily_summary(const std::filesystem::path& path,
                                                 arrow::MemoryPool* pool);

  /// The values of a row group's column before they have the types of the summary.
  struct ScratchValues {
    std::vector<uint8_t> nulls;
    std::vector<int32_t> codes;
    std::vector<int32_t> numbers;
    std::vector<float> narrow;
  };
  class File;

  arrow::MemoryPool* pool_;
  DailySummary summary_;
  ScratchValues scratch_;
};

}  // namespace tapeworks
