#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/calendar_day.h"
#include "base/result.h"

namespace tapeworks {

struct BrokerReportImportOptions {
  std::vector<std::string> inputs;  ///< files, folders with *.csv, patterns
  std::filesystem::path out_dir;
  /// The day of all reports; without it each file's name must tell.
  std::optional<Day> day;
};

struct BrokerReportImportResult {
  uint64_t report_count = 0;
  uint64_t row_count = 0;
  uint64_t day_count = 0;
  uint64_t byte_count = 0;  ///< of the files written
  Day first_day;
  Day last_day;
};

/// Turns daily broker reports of TWSE and TPEx into out_dir/broker_tx/broker_tx_YYYYMMDD.parquet,
/// one file a day, in the vendor's schema, stamped with the midnight of Taipei. Rows are ordered by
/// symbol, then as in the report, whatever the files are called. All days appear after all reports
/// were read; a day that is there already is replaced as a whole, other days stay.
///
/// Memory: one row group of one day from `pool`, and per report its path.
/// Errors: kInvalidArgument for inputs that do not exist and days that are not known; kCorrupt
/// naming the file for a report that is wrong or there twice; kIo; kMemoryBudget; kCancelled.
Result<BrokerReportImportResult> import_broker_reports(const BrokerReportImportOptions& options,
                                                       arrow::MemoryPool* pool);

}  // namespace tapeworks
