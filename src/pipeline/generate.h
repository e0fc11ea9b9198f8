#pragma once

#include <cstdint>
#include <filesystem>

#include <arrow/type_fwd.h>

#include "base/calendar_day.h"
#include "base/result.h"
#include "pipeline/market_model.h"

namespace tapeworks {

/// The most rows that can be asked for.
inline constexpr int64_t kGeneratedRowsMax = 1'000'000'000'000;

/// The order of the generated rows.
enum class RowOrder {
  kDate,      ///< by date, symbol, broker, price
  kShuffled,  ///< the rows of a group are scattered over the whole file
};

/// The instant that stands for a trading day.
enum class DayStamp {
  kTaipeiMidnight,  ///< 16:00 UTC of the day before
  kUtcMidnight,
};

struct GenerateOptions {
  std::filesystem::path out_dir;
  uint64_t row_count = 5'000'000;
  MarketSize market;
  RowOrder order = RowOrder::kDate;
  DayStamp stamp = DayStamp::kTaipeiMidnight;
  /// broker_tx/broker_tx_YYYYMMDD.parquet for each day with rows, instead of broker_tx.parquet.
  bool per_day = false;
  /// More than one: rows are made while others are encoded. The bytes do not depend on it.
  size_t thread_count = 1;
};

struct GenerateResult {
  uint64_t row_count = 0;
  uint64_t group_count = 0;  ///< (symbol, broker, date)
  uint64_t file_count = 0;   ///< of transactions
  uint64_t byte_count = 0;   ///< of the files of transactions
  Day first_day;             ///< of the trading days; the first and last may have no rows
  Day last_day;
};

/// kInvalidArgument naming the option that has no sense.
Status check_generate_options(const GenerateOptions& options);

/// Writes made-up transactions and closes as a vendor would deliver them; docs/commands/generate.md
/// says what they look like. The same options give the same rows and bytes everywhere. The same
/// market and row count give the same rows, whatever the order, stamp and files.
///
/// Memory: independent of the rows. Each file appears when it is complete.
/// Errors: kInvalidArgument also when out_dir/broker_tx holds days that this run would leave; kIo;
/// kCancelled after a signal.
Result<GenerateResult> generate_transactions(const GenerateOptions& options,
                                             arrow::MemoryPool* pool);

}  // namespace tapeworks
