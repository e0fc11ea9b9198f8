#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/calendar_day.h"
#include "base/result.h"
#include "pipeline/close_prices_sync.h"
#include "pipeline/transaction_scan.h"

namespace tapeworks {

/// Where a command works and with what.
struct WorkPlace {
  std::filesystem::path data_dir = "data";
  std::filesystem::path temp_dir;  ///< for spill files; empty: beside the data directory
  size_t thread_count = 1;
  std::chrono::milliseconds keep_generations_for{std::chrono::hours{1}};
};

struct EtlOptions {
  std::vector<std::string> inputs;  ///< files, folders, patterns
  ScanOptions scan;
};

inline constexpr std::chrono::hours kVerifyEvery{30 * 24};

/// `etl --incremental` and `run --incremental`: what of EtlOptions::inputs is new, changed or gone.
struct IncrementalEtlOptions {
  std::vector<std::string> added;  ///< these beside the known inputs, in place of `inputs`
  uint64_t vanished_max = 0;       ///< inputs that may be missing; their rows go
  /// So long after the tables were last made of the whole input, or compared with what it gives,
  /// they are compared again.
  std::chrono::milliseconds verify_every = kVerifyEvery;
};
enum class IncrementOutcome { kPublished, kNothingNew };

struct PnlRunOptions {
  Mode mode = Mode::kDefault;
  Day start = day_from_civil(2023, 1, 1);
  std::optional<Day> as_of;  ///< nothing: the last trade date of the data
  bool daily = false;
  bool ledger = false;  ///< only in the default mode
  /// A map of mergers (merge_map_file.h): also write the tables of merged brokers. Empty: do not.
  std::filesystem::path merge_map = {};
  /// Take over what did not change, and go on from checkpoints. The same bytes. Only in the default
  /// mode.
  bool is_incremental = false;
  /// `pnl --incremental`: likewise, of the whole summary. `run` has its own.
  std::chrono::milliseconds verify_every = kVerifyEvery;
};

// The jobs of the command line. Each reads what it needs, writes a complete new generation beside
// the published one, and publishes it as its last act; after a failure nothing is visible of it.
// Errors: as in cli.md; kIo also when another process writes the data directory.

/// Transactions to daily_summary/ and derived/broker_names.
Status run_etl(const EtlOptions& etl, const WorkPlace& place, MemoryBudget& budget);

/// The same tables, byte for byte, from the published ones and what changed in the input. The first
/// run is a full one. Only in the default mode.
Result<IncrementOutcome> run_incremental_etl(const EtlOptions& etl,
                                             const IncrementalEtlOptions& increment,
                                             const WorkPlace& place, MemoryBudget& budget);

/// daily_summary/ and price/ to pnl/, fifo_state/, pnl_daily/, symbol_broker and broker_ranking,
/// and with a map of mergers to the same once more for merged brokers.
Status run_pnl(const PnlRunOptions& pnl, const WorkPlace& place, MemoryBudget& budget);

/// Everything in one pass over the input; the same bytes as etl, sync and pnl one after another.
Status run_all(const EtlOptions& etl, const PriceReadOptions& prices, const PnlRunOptions& pnl,
               const WorkPlace& place, MemoryBudget& budget);

/// The same bytes from the published tables and what changed in the input, the closes and the
/// options of P&L. The first run is a full one. Only in the default mode.
Result<IncrementOutcome> run_all_incremental(const EtlOptions& etl,
                                             const IncrementalEtlOptions& increment,
                                             const PriceReadOptions& prices,
                                             const PnlRunOptions& pnl, const WorkPlace& place,
                                             MemoryBudget& budget);

}  // namespace tapeworks
