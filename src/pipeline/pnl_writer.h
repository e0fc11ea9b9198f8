#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "pipeline/broker_mergers.h"
#include "pipeline/close_prices.h"
#include "pipeline/daily_summary.h"
#include "pipeline/daily_summary_file.h"
#include "pipeline/pnl_set.h"
#include "pipeline/symbol_pnl.h"
#include "pipeline/table_writer.h"
#include "storage/manifest.h"

namespace tapeworks {

/// Computes the P&L of symbols and writes every table that follows from it: a PnlSet for the codes
/// of the data, and with merge() a second one, with the suffix `_merged`, in which the rows of
/// merged branches count for their successors.
/// Threads: put() and put_file() from any, one of them once per symbol, when the symbol's file of
/// daily_summary stands in the generation; the rest from one, finish() after the last put().
class PnlWriter {
 public:
  /// `prices` must outlive the writer. With `is_incremental` symbols of which nothing changed keep
  /// their tables, and others go on from the checkpoints of the published generation.
  PnlWriter(const TableWriter& writer, const ClosePrices& prices, const PnlOptions& options,
            std::vector<std::string> symbols, bool is_incremental);

  /// Also writes the merged set, and derived/broker_merge_map. Before the first put(). `mergers`
  /// must outlive the writer; `amounts` is the width of the summaries.
  void merge(const BrokerMergers& mergers, AmountWidth amounts);

  /// `symbol_index` is the position in `symbols`. A symbol without text, which the reference skips
  /// silently, is skipped.
  Status put(size_t symbol_index, const DailySummary& summary);

  /// Reads the summary of a symbol from its file in the published generation only when it is
  /// needed, and shows it to `on_read`. kCorrupt when it is not the file of the manifest.
  Status put_file(size_t symbol_index, const TableFile& file, DailySummaryReader& reader,
                  const std::function<void(const DailySummary&)>& on_read);

  /// Writes the tables over all symbols and describes all tables in the manifest.
  Status finish(const std::map<std::string, std::string>& options_text, size_t thread_count);

  /// Checkpoints that could not be used although they should be there.
  uint64_t rejected_checkpoints() const;

 private:
  struct Sources {
    PnlSet::SymbolSources plain;
    PnlSet::SymbolSources merged;
  };
  Sources sources_of(const std::string& symbol);
  /// Carries the tables of a symbol over if all of them can stay.
  Result<bool> keep(size_t symbol_index, const std::string& symbol, const Sources& sources);
  Status compute(size_t symbol_index, const DailySummary& summary, const Sources& sources);
  Status put_merged(size_t symbol_index, const DailySummary& summary, const SymbolPnl& pnl,
                    const PnlSet::SymbolSources& sources);

  const TableWriter& writer_;
  const ClosePrices& prices_;
  PnlOptions options_;
  std::vector<std::string> symbols_;
  bool is_incremental_;
  PnlSet plain_;
  const BrokerMergers* mergers_ = nullptr;  ///< not null exactly when merged_ is there
  AmountWidth amounts_ = AmountWidth::kFloat32;
  std::optional<PnlSet> merged_;
};

}  // namespace tapeworks
