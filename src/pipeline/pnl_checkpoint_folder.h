#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>

#include "base/result.h"
#include "pipeline/pnl_checkpoint.h"
#include "storage/generation_store.h"
#include "storage/memory_budget.h"

namespace tapeworks {

/// A checkpoint and the memory for it.
struct LoadedPnlCheckpoint {
  Reservation memory;
  PnlCheckpoint checkpoint;
};

/// The checkpoint of `symbol` in the file at `path`. Errors: kMemoryBudget when `budget` has no
/// room for it; any other says, behind "it ", why it cannot be used.
Result<LoadedPnlCheckpoint> load_pnl_checkpoint(const std::filesystem::path& path,
                                                const std::string& symbol, MemoryBudget& budget);

/// The checkpoints of one set of tables of profit and loss, a file for each symbol: those of the
/// published generation are read, those of the new one written.
///
/// Nothing is trusted: a file that is damaged, belongs to another symbol, or should be there and is
/// not, counts as none, and warn() says so.
/// Threads: any, once per symbol; warn() from one, at the end.
class PnlCheckpointFolder {
 public:
  /// `table` is the name of the set's table of accounts: "pnl" or "pnl_merged".
  PnlCheckpointFolder(GenerationWriter& generation, MemoryBudget& budget, std::string table)
      : generation_(generation), budget_(budget), table_(std::move(table)) {}

  /// Nothing when there is none that can be used, or no memory for it.
  std::optional<LoadedPnlCheckpoint> load(const std::string& symbol);

  /// Counts a checkpoint that turned out to be no good after all.
  void reject(const std::string& symbol, const std::string& reason);

  /// Writes one for a symbol whose tables were made, or carries the old one over where they stay.
  Status save(const PnlCheckpoint& checkpoint);
  Status keep(const std::string& symbol);

  uint64_t rejected_count() const { return rejected_count_; }
  /// Says how many there were that could not be used, if any.
  void warn() const;

 private:
  std::string name_of(const std::string& symbol) const { return table_ + "/" + symbol; }

  GenerationWriter& generation_;
  MemoryBudget& budget_;
  std::string table_;
  std::mutex mutex_;
  // Guarded by mutex_ while threads are at work.
  uint64_t rejected_count_ = 0;
  std::string first_symbol_;  ///< bytewise, so that the message does not depend on threads
  std::string first_reason_;
};

}  // namespace tapeworks
