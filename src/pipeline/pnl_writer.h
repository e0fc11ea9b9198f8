#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "pipeline/close_prices.h"
#include "pipeline/daily_summary.h"
#include "pipeline/ranking.h"
#include "pipeline/symbol_pnl.h"
#include "pipeline/table_writer.h"

namespace tapeworks {

/// Computes the P&L of symbols and writes every table that follows from it: pnl/, fifo_state/,
/// pnl_daily/ when asked for, derived/symbol_broker and derived/broker_ranking.
/// Threads: put() from any, once per symbol; finish() from one, after the last put().
class PnlWriter {
 public:
  /// `prices` must outlive the writer.
  PnlWriter(const TableWriter& writer, const ClosePrices& prices, const PnlOptions& options,
            std::vector<std::string> symbols);

  /// `symbol_index` is the position in `symbols`. A symbol without text, which the reference skips
  /// silently, is skipped.
  Status put(size_t symbol_index, const DailySummary& summary);

  /// Writes the tables over all symbols and describes all tables in the manifest.
  Status finish(const std::map<std::string, std::string>& options_text, size_t thread_count);

 private:
  const TableWriter& writer_;
  const ClosePrices& prices_;
  PnlOptions options_;
  AccountCollector accounts_;
};

}  // namespace tapeworks
