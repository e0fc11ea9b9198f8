#include "pipeline/pnl_writer.h"

#include <utility>

#include <arrow/table.h>

#include "base/run_stats.h"
#include "pipeline/merge_map_file.h"
#include "pipeline/price_quality.h"
#include "pipeline/summary_merge.h"

namespace tapeworks {

PnlWriter::PnlWriter(const TableWriter& writer, const ClosePrices& prices,
                     const PnlOptions& options, std::vector<std::string> symbols)
    : writer_(writer),
      prices_(prices),
      options_(options),
      symbols_(std::move(symbols)),
      tables_(writer, options, symbols_, "") {}

void PnlWriter::merge(const BrokerMergers& mergers, AmountWidth amounts) {
  mergers_ = &mergers;
  amounts_ = amounts;
  merged_tables_.emplace(writer_, options_, symbols_, kMergedSuffix);
}

Status PnlWriter::put(size_t symbol_index, const DailySummary& summary) {
  if (summary.symbol.empty()) return {};
  const StageTimer timer(Stage::kPnl);
  TW_ASSIGN(const SymbolPnl pnl, compute_symbol_pnl(summary, prices_.of(summary.symbol), options_));
  TW_TRY(tables_.put(symbol_index, summary, pnl));
  return merged_tables_ ? put_merged(symbol_index, summary, pnl) : Status{};
}

Status PnlWriter::put_merged(size_t symbol_index, const DailySummary& summary,
                             const SymbolPnl& pnl) {
  TW_ASSIGN(const auto merged, merge_summary(summary, *mergers_, amounts_));
  if (!merged) return merged_tables_->put(symbol_index, summary, pnl);
  TW_ASSIGN(const SymbolPnl merged_pnl,
            compute_symbol_pnl(*merged, prices_.of(summary.symbol), options_));
  return merged_tables_->put(symbol_index, *merged, merged_pnl);
}

Status PnlWriter::finish(const std::map<std::string, std::string>& options_text,
                         size_t thread_count) {
  const PhaseTimer phase("account tables");
  const auto flaws = coverage_flaw_counts(prices_, writer_.generation().manifest());
  TW_TRY(tables_.finish(options_text, {"daily_summary", "price"}, flaws, thread_count));
  if (!merged_tables_) return {};
  TW_ASSIGN(const auto map, merge_map_table(*mergers_, writer_.pool()));
  TW_TRY(writer_.add(kMergeMapTable, kMergeMapFile, *map));
  TW_TRY(writer_.generation().describe_table(kMergeMapTable, {}, {}, {}));
  return merged_tables_->finish(options_text, {"daily_summary", "price", kMergeMapTable}, {},
                                thread_count);
}

}  // namespace tapeworks
