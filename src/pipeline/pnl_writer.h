#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "pipeline/broker_mergers.h"
#include "pipeline/close_prices.h"
#include "pipeline/daily_summary.h"
#include "pipeline/pnl_table_set.h"
#include "pipeline/symbol_pnl.h"
#include "pipeline/table_writer.h"

namespace tapeworks {

/// Computes the P&L of symbols and writes every table that follows from it: the set of PnlTableSet
/// for the codes of the data, and with merge() a second set, with the suffix `_merged`, in which
/// the rows of merged branches count for their successors.
/// Threads: put() from any, once per symbol; the rest from one, finish() after the last put().
class PnlWriter {
 public:
  /// `prices` must outlive the writer.
  PnlWriter(const TableWriter& writer, const ClosePrices& prices, const PnlOptions& options,
            std::vector<std::string> symbols);

  /// Also writes the merged set, and derived/broker_merge_map. Before the first put(). `mergers`
  /// must outlive the writer; `amounts` is the width of the summaries.
  void merge(const BrokerMergers& mergers, AmountWidth amounts);

  /// `symbol_index` is the position in `symbols`. A symbol without text, which the reference skips
  /// silently, is skipped.
  Status put(size_t symbol_index, const DailySummary& summary);

  /// Writes the tables over all symbols and describes all tables in the manifest.
  Status finish(const std::map<std::string, std::string>& options_text, size_t thread_count);

 private:
  Status put_merged(size_t symbol_index, const DailySummary& summary, const SymbolPnl& pnl);

  const TableWriter& writer_;
  const ClosePrices& prices_;
  PnlOptions options_;
  std::vector<std::string> symbols_;
  PnlTableSet tables_;
  const BrokerMergers* mergers_ = nullptr;  ///< not null exactly when merged_tables_ is there
  AmountWidth amounts_ = AmountWidth::kFloat32;
  std::optional<PnlTableSet> merged_tables_;
};

}  // namespace tapeworks
