#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "pipeline/daily_summary.h"
#include "pipeline/ranking.h"
#include "pipeline/symbol_pnl.h"
#include "pipeline/table_writer.h"

namespace tapeworks {

/// What the names of tables of merged brokers end with.
inline constexpr const char* kMergedSuffix = "_merged";

inline constexpr const char* kPositionLedger = "position_ledger";

/// Writes one set of the tables of profit and loss: pnl/, fifo_state/, pnl_daily/ and
/// position_ledger/ when asked for, derived/symbol_broker and derived/broker_ranking, all with the
/// same suffix to their names. Threads: put() from any, once per symbol; finish() from one, after
/// the last put().
class PnlTableSet {
 public:
  PnlTableSet(const TableWriter& writer, const PnlOptions& options,
              std::vector<std::string> symbols, std::string suffix);

  /// `symbol_index` is the position in `symbols`; `pnl` is of `summary`.
  Status put(size_t symbol_index, const DailySummary& summary, const SymbolPnl& pnl);

  /// In place of put() for a symbol whose files are carried over: `brokers` needs no rows, `pnl`
  /// the accounts alone.
  Status put_accounts(size_t symbol_index, const DailySummary& brokers, const SymbolPnl& pnl) {
    return accounts_.put(symbol_index, brokers, pnl);
  }

  /// Writes the tables over all symbols and describes all tables in the manifest as made from the
  /// tables `sources` of this generation; `pnl_counts` stand at the table pnl.
  Status finish(const std::map<std::string, std::string>& options_text,
                const std::vector<std::string>& sources,
                const std::map<std::string, uint64_t>& pnl_counts, size_t thread_count);

 private:
  std::string name(const char* table) const { return table + suffix_; }

  const TableWriter& writer_;
  Mode mode_;
  bool daily_;
  bool ledger_;
  std::string suffix_;
  AccountCollector accounts_;
};

}  // namespace tapeworks
