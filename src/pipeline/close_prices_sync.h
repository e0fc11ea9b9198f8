#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include <arrow/type_fwd.h>

#include "base/calendar_day.h"
#include "base/result.h"
#include "pipeline/close_prices.h"
#include "pipeline/mode.h"
#include "pipeline/price_source.h"
#include "pipeline/table_writer.h"
#include "storage/memory_budget.h"

namespace tapeworks {

/// Which closes to read, and by which rules.
struct PriceReadOptions {
  std::string source;  ///< path of a Parquet or CSV file, or an address of a database
  PriceColumnNames columns;
  std::optional<Day> since;  ///< rows of earlier days are left out, unchecked but for their date
  /// Rows of other symbols are left out, as those of earlier days; empty means all.
  std::set<std::string, std::less<>> symbols;
  /// The closes were adjusted for splits or dividends by their source. Noted in the manifest.
  bool adjusted = false;
  Mode mode = Mode::kDefault;
  AmountWidth amounts = AmountWidth::kFloat32;  ///< the width of close_price in the file
  bigquery::Options bigquery;                   ///< for a source of bigquery://
};

/// The closes, checked and in order.
struct PriceReadResult {
  /// symbol_id string, date date32, close_price float32 or float64 and nullable; sorted by symbol
  /// bytewise, then date; one row a (symbol, date). The content of price/close_prices.parquet.
  std::shared_ptr<arrow::Table> table;
  ClosePrices prices;  ///< the same for looking things up
  AmountWidth amounts = AmountWidth::kFloat32;
  bool adjusted = false;
  /// For the manifest: rows_read, rows_before_since, rows_repeated, closes_missing, closes_zero (in
  /// the source, whatever becomes of them), close_flaw_counts(), and rows_of_other_symbols where
  /// `symbols` were given.
  std::map<std::string, uint64_t> counts;
  Day first_day;
  Day last_day;
};

/// Reads a source of closes.
///
/// Default mode: null and zero are no close; a negative, infinite or NaN close is refused; so are
/// two different closes of one (symbol, date), while repeated ones and a row without close beside
/// one with count once. Compat modes take every number but NaN as it is, and of several rows of one
/// (symbol, date) the last counts (v2: the last with a close). In all modes each row needs a symbol
/// and a date.
///
/// Memory: 24 bytes a row and the finished table, from `budget`; ClosePrices::byte_count() beside
/// it. Errors: kInvalidArgument for a source that is no file or table, kIo for a database that
/// cannot be reached, kCorrupt naming file and row for wrong data or none, kMemoryBudget,
/// kCancelled.
Result<PriceReadResult> read_close_prices_source(const PriceReadOptions& options,
                                                 MemoryBudget& budget);

/// Adds table `price` to the generation being written and describes it in the manifest.
Status write_price_table(const TableWriter& writer, const PriceReadResult& prices);

struct SyncOptions {
  PriceReadOptions prices;  ///< `amounts` is taken from daily_summary where that exists
  std::filesystem::path data_dir = "data";
  std::chrono::milliseconds keep_generations_for{std::chrono::hours{1}};
};

/// The command `sync`: a new generation with these closes and all other tables as they were.
/// Errors: as above; kInvalidArgument when the other tables were made in another mode.
Status sync_prices(const SyncOptions& options, MemoryBudget& budget);

}  // namespace tapeworks
