#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/idle_list.h"
#include "base/result.h"
#include "pipeline/close_prices.h"
#include "pipeline/kept_accounts.h"
#include "pipeline/pnl_checkpoint_folder.h"
#include "pipeline/pnl_table_set.h"
#include "pipeline/symbol_pnl.h"

namespace tapeworks {

/// One set of tables of profit and loss, made of checkpoints where there are any: the tables of a
/// symbol stay when all that they are made from stayed, and are computed from the newest state that
/// fits otherwise. Every symbol leaves a checkpoint behind, except in compat modes.
/// Threads: any, once per symbol; finish() from one, at the end.
class PnlSet {
 public:
  /// `mergers_xxh3` stands for the map of mergers of the summaries, 0 for none. Checkpoints of the
  /// published generation are looked at only with `is_incremental`.
  PnlSet(const TableWriter& writer, const PnlOptions& options, std::vector<std::string> symbols,
         std::string suffix, uint64_t mergers_xxh3, bool is_incremental);

  /// What is known of a symbol before its summary is read.
  struct SymbolSources {
    PnlSources now;
    std::optional<LoadedPnlCheckpoint> before;
  };
  /// The symbol's file of daily_summary must stand in the new generation.
  SymbolSources sources_of(const std::string& symbol, const PriceSeries& closes);

  /// Tables that a symbol can keep.
  struct KeptTables {
    std::array<std::optional<TableFile>, kPnlFileCount> files;
    KeptAccounts accounts;
  };
  /// Nothing when they must be made anew.
  Result<std::optional<KeptTables>> find_kept(const std::string& symbol,
                                              const SymbolSources& sources);
  /// Carries them over.
  Status keep(size_t symbol_index, const KeptTables& kept);

  /// What a computation leaves behind.
  struct Computed {
    SymbolPnl pnl;
    std::vector<SavedState> states;
  };
  Result<Computed> compute(const DailySummary& summary, const PriceSeries& closes,
                           const SymbolSources& sources);
  /// Writes the tables and the checkpoint. `states` may be empty.
  Status put(size_t symbol_index, const DailySummary& summary, const SymbolPnl& pnl,
             const SymbolSources& sources, std::vector<SavedState> states);
  /// Keeps the memory of `pnl` for a later compute().
  void use_again(SymbolPnl pnl);

  /// As PnlTableSet::finish(); also warns of checkpoints that could not be used.
  Status finish(const std::map<std::string, std::string>& options_text,
                const std::vector<std::string>& tables,
                const std::map<std::string, uint64_t>& pnl_counts, size_t thread_count);

  uint64_t rejected_count() const { return folder_.rejected_count(); }

 private:
  /// Where a file of the set's table number `index` stands for a symbol.
  std::string path_of(size_t index, const std::string& symbol) const;
  std::string table_name(size_t index) const;
  bool is_wanted(size_t index) const;

  const TableWriter& writer_;
  PnlOptions options_;
  std::string suffix_;
  uint64_t mergers_xxh3_;
  bool is_incremental_;
  std::vector<Day> days_;  ///< at whose end states are kept
  PnlTableSet tables_;
  PnlCheckpointFolder folder_;
  IdleList<SymbolPnl> used_;  ///< whose memory is free
};

}  // namespace tapeworks
