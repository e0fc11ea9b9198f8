#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/calendar_day.h"
#include "base/result.h"
#include "pipeline/mode.h"
#include "pipeline/phantom_positions.h"
#include "pipeline/verify.h"
#include "storage/generation_store.h"

// What the checks of `verify` share.
namespace tapeworks {

/// Gathers what one check finds. Threads: add() from any; result() from one, afterwards.
class Findings {
 public:
  /// Of several findings the one with the lowest `order` is told.
  void add(size_t order, std::string detail, uint64_t count = 1);

  /// `bad` is the status when there are findings.
  CheckResult result(std::string check, std::string ok_detail,
                     CheckStatus bad = CheckStatus::kFailed) const;

 private:
  mutable std::mutex mutex_;
  uint64_t count_ = 0;        // guarded by mutex_
  size_t first_order_ = 0;    // guarded by mutex_
  std::string first_detail_;  // guarded by mutex_
};

CheckResult not_checked(std::string check, std::string why);

/// Whether a failure belongs to the run (no memory, interrupted) rather than to the data.
inline bool stops_verification(const Error& error) {
  return error.kind == ErrorKind::kMemoryBudget || error.kind == ErrorKind::kCancelled ||
         error.kind == ErrorKind::kInternal;
}

/// Sums over rows in which order plays no part, so that two tables sorted in different ways can be
/// compared without being in memory: equal sets of rows have equal sums, and other sets differ but
/// for chance of 2^-64.
struct RowSums {
  uint64_t row_count = 0;
  uint64_t brokers = 0;  ///< over hash(broker)
  uint64_t rows = 0;     ///< over hash(broker, all money columns bit by bit)

  bool operator==(const RowSums&) const = default;
};

/// The accounts of one symbol as seen in its own files.
struct SymbolSums {
  RowSums summary;  ///< daily_summary; `rows` stays 0
  RowSums pnl;      ///< pnl/
  bool summary_read = false;
  bool pnl_read = false;
};

/// What the files of the symbols say of one set of accounts: the plain ones, or those of merged
/// brokers. Filled by check_symbols.
struct SymbolFacts {
  std::map<std::string, SymbolSums> symbols = {};
  /// Of all brokers, as daily_summary has them.
  PhantomPositions::Brokers activity = {};
  /// Whether every symbol is in `activity`: there are current lots, and each summary could be read.
  bool has_all_activity = false;
  /// Whether any summary could be brought into this set; those of merged brokers need their map.
  bool has_summaries = false;
};

struct VerifyContext {
  const GenerationReader& generation;
  Mode mode;
  const VerifyOptions& options;
  MemoryBudget& budget;
  /// Paths of files that are missing or changed; told once, and not read by later checks.
  std::set<std::string> damaged = {};
  SymbolFacts plain = {};
  SymbolFacts merged = {};        ///< no symbols where there are no tables of merged brokers
  std::set<Day> trade_days = {};  ///< filled by check_symbols

  const Manifest& manifest() const { return generation.manifest(); }
  std::filesystem::path path_of(const std::string& relative_path) const {
    return generation.path() / relative_path;
  }
  bool is_whole(const std::string& relative_path) const { return !damaged.contains(relative_path); }
  /// The table when it exists and none of its sources has changed since; otherwise null.
  const Table* current_table(const std::string& table) const;
  /// Why current_table() gave nothing.
  std::string why_not(const std::string& table) const;
};

/// Everything that needs the rows of daily_summary, symbol by symbol: its own rules, balance,
/// open_lots, ranks; with --full the P&L computed again.
Result<std::vector<CheckResult>> check_symbols(VerifyContext& context);

/// price/close_prices: order, types, values; and trade_dates, which compares its dates with those
/// that check_symbols saw.
Result<std::vector<CheckResult>> check_prices(VerifyContext& context);

/// derived/symbol_broker against the files of the symbols, and derived/broker_ranking against it;
/// the same for merged brokers.
Result<std::vector<CheckResult>> check_ranking(VerifyContext& context);

/// checkpoint/pnl, which the next incremental run goes on from: a warning, because what cannot be
/// used is computed anew.
Result<std::vector<CheckResult>> check_checkpoints(VerifyContext& context);

/// Whether per-day files of the input hold the day of their names, by the record of the inputs.
CheckResult check_input_dates(const VerifyContext& context);

/// daily_summary against the transactions, summed again, and derived/broker_names against theirs.
Result<std::vector<CheckResult>> check_input(const VerifyContext& context);

}  // namespace tapeworks
