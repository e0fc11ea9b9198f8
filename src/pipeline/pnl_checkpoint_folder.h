#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>

#include "base/result.h"
#include "pipeline/pnl_checkpoint.h"
#include "pipeline/pnl_table_set.h"
#include "storage/generation_store.h"
#include "storage/memory_budget.h"

namespace tapeworks {

/// The tables that PnlCheckpoint::files speaks of, in its order; those of merged brokers have
/// kMergedSuffix behind their names.
inline constexpr std::array<const char*, kPnlFileCount> kPnlFileTables = {
    "pnl", "fifo_state", "pnl_daily", kPositionLedger};

/// The name of a checkpoint below checkpoint/; `table` is the set's table of accounts.
std::string pnl_checkpoint_name(const std::string& table, const std::string& symbol);

/// The symbol's file of kPnlFileTables[index] with `suffix` behind; nothing where `generation` has
/// no such table, or no such symbol in it.
std::optional<TableFile> find_pnl_file(const Manifest& generation, size_t index,
                                       const std::string& suffix, const std::string& symbol);

/// Whether the symbol's files of the tables with `suffix` in `generation` are those that were made
/// with the checkpoint.
bool speaks_of(const PnlCheckpoint& checkpoint, const Manifest& generation,
               const std::string& suffix);

/// A checkpoint and the memory for it.
struct LoadedPnlCheckpoint {
  Reservation memory;
  PnlCheckpoint checkpoint;
};

/// The checkpoint of `symbol` in the file at `path`, which may be an object; nothing where nothing
/// stands. Errors say why it cannot be used: kMemoryBudget when `budget` has no room for it,
/// kCorrupt when it is damaged, of another version or of another symbol, kIo when it cannot be
/// read.
Result<std::optional<LoadedPnlCheckpoint>> load_pnl_checkpoint(const std::filesystem::path& path,
                                                               const std::string& symbol,
                                                               MemoryBudget& budget);

/// The checkpoints of one set of tables of profit and loss, a file for each symbol: those of the
/// published generation are read, those of the new one written.
///
/// Nothing is trusted: a file that is damaged, belongs to another symbol, or should be there and is
/// not, counts as none, and so does one that memory has no room for; warn() says so.
/// Threads: any, once per symbol; warn() from one, at the end.
class PnlCheckpointFolder {
 public:
  /// `table` is the name of the set's table of accounts: "pnl" or "pnl_merged".
  PnlCheckpointFolder(GenerationWriter& generation, MemoryBudget& budget, std::string table)
      : generation_(generation), budget_(budget), table_(std::move(table)) {}

  /// Nothing when there is none that can be used.
  std::optional<LoadedPnlCheckpoint> load(const std::string& symbol);

  /// Counts a checkpoint that turned out to be no good after all.
  void reject(const std::string& symbol, const std::string& reason);

  /// Writes one for a symbol whose tables were made, or carries the old one over where they stay.
  Status save(const PnlCheckpoint& checkpoint);
  Status keep(const std::string& symbol);

  /// Those that are no good. One that memory had no room for is not among them: to write it again
  /// would mend nothing.
  uint64_t rejected_count() const { return rejected_count_; }
  /// Says how many there were that could not be used, if any.
  void warn() const;

 private:
  GenerationWriter& generation_;
  MemoryBudget& budget_;
  std::string table_;
  std::mutex mutex_;
  // Guarded by mutex_ while threads are at work.
  uint64_t rejected_count_ = 0;
  uint64_t too_large_count_ = 0;
  std::string first_symbol_;  ///< bytewise, so that the message does not depend on threads
  std::string first_reason_;
};

}  // namespace tapeworks
