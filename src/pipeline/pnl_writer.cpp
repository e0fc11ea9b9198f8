#include "pipeline/pnl_writer.h"

#include <algorithm>
#include <utility>

#include <arrow/table.h>
#include <xxhash.h>

#include "base/byte_codec.h"
#include "base/run_stats.h"
#include "pipeline/daily_summary_file.h"
#include "pipeline/merge_map_file.h"
#include "pipeline/price_quality.h"
#include "pipeline/summary_merge.h"
#include "storage/table_file_check.h"

namespace tapeworks {
namespace {

/// Never 0, which stands for no map.
uint64_t hash_of(const BrokerMergers& mergers) {
  ByteWriter out;
  for (const BrokerMerger& merger : mergers.mergers()) {
    out.put_varint_text(merger.old_code);
    out.put_varint_text(merger.new_code);
    out.put_signed_varint(merger.last_day.value_or(kNullDay).days_since_epoch);
  }
  const uint64_t hash = XXH3_64bits(out.bytes().data(), out.bytes().size());
  return std::max<uint64_t>(hash, 1);
}

}  // namespace

PnlWriter::PnlWriter(const TableWriter& writer, const ClosePrices& prices,
                     const PnlOptions& options, std::vector<std::string> symbols,
                     bool is_incremental)
    : writer_(writer),
      prices_(prices),
      options_(options),
      symbols_(std::move(symbols)),
      is_incremental_(is_incremental),
      plain_(writer, options, symbols_, "", 0, is_incremental) {}

void PnlWriter::merge(const BrokerMergers& mergers, AmountWidth amounts) {
  mergers_ = &mergers;
  amounts_ = amounts;
  merged_.emplace(writer_, options_, symbols_, kMergedSuffix, hash_of(mergers), is_incremental_);
}

Status PnlWriter::put(size_t symbol_index, const DailySummary& summary) {
  if (summary.symbol.empty()) return {};
  const StageTimer timer(Stage::kPnl);
  const Sources sources = sources_of(summary.symbol);
  TW_ASSIGN(const bool is_kept, keep(symbol_index, summary.symbol, sources));
  return is_kept ? Status{} : compute(symbol_index, summary, sources);
}

Status PnlWriter::put_file(size_t symbol_index, const TableFile& file, DailySummaryReader& reader,
                           const std::function<void(const DailySummary&)>& on_read) {
  const std::string symbol = symbol_of_file(file.path);
  const StageTimer timer(Stage::kPnl);
  const Sources sources = sources_of(symbol);
  TW_ASSIGN(const bool is_kept, keep(symbol_index, symbol, sources));
  if (is_kept) return {};
  const std::filesystem::path folder = writer_.generation().base_path();
  const auto read = [&]() -> Result<const DailySummary*> {
    const StageTimer decode_timer(Stage::kDecode);
    TW_TRY(check_source_file(folder, file));
    return reader.read(folder / file.path);
  };
  TW_ASSIGN(const DailySummary* const summary, read());
  on_read(*summary);
  return symbol.empty() ? Status{} : compute(symbol_index, *summary, sources);
}

PnlWriter::Sources PnlWriter::sources_of(const std::string& symbol) {
  const PriceSeries& closes = prices_.of(symbol);
  Sources sources{.plain = plain_.sources_of(symbol, closes), .merged = {}};
  if (merged_) sources.merged = merged_->sources_of(symbol, closes);
  return sources;
}

Result<bool> PnlWriter::keep(size_t symbol_index, const std::string& symbol,
                             const Sources& sources) {
  TW_ASSIGN(const auto plain, plain_.find_kept(symbol, sources.plain));
  if (!plain) return false;
  if (merged_) {
    TW_ASSIGN(const auto merged, merged_->find_kept(symbol, sources.merged));
    if (!merged) return false;
    TW_TRY(merged_->keep(symbol_index, *merged));
  }
  TW_TRY(plain_.keep(symbol_index, *plain));
  return true;
}

Status PnlWriter::compute(size_t symbol_index, const DailySummary& summary,
                          const Sources& sources) {
  TW_ASSIGN(PnlSet::Computed plain,
            plain_.compute(summary, prices_.of(summary.symbol), sources.plain));
  TW_TRY(plain_.put(symbol_index, summary, plain.pnl, sources.plain, std::move(plain.states)));
  if (merged_) TW_TRY(put_merged(symbol_index, summary, plain.pnl, sources.merged));
  plain_.use_again(std::move(plain.pnl));
  return {};
}

Status PnlWriter::put_merged(size_t symbol_index, const DailySummary& summary, const SymbolPnl& pnl,
                             const PnlSet::SymbolSources& sources) {
  TW_ASSIGN(const auto merged, merge_summary(summary, *mergers_, amounts_));
  if (!merged) return merged_->put(symbol_index, summary, pnl, sources, {});
  TW_ASSIGN(PnlSet::Computed computed,
            merged_->compute(*merged, prices_.of(summary.symbol), sources));
  TW_TRY(merged_->put(symbol_index, *merged, computed.pnl, sources, std::move(computed.states)));
  merged_->use_again(std::move(computed.pnl));
  return {};
}

Status PnlWriter::finish(const std::map<std::string, std::string>& options_text,
                         size_t thread_count) {
  const PhaseTimer phase("account tables");
  const auto flaws = coverage_flaw_counts(prices_, writer_.generation().manifest());
  TW_TRY(plain_.finish(options_text, {"daily_summary", "price"}, flaws, thread_count));
  if (!merged_) return {};
  TW_ASSIGN(const auto map, merge_map_table(*mergers_, writer_.pool()));
  TW_TRY(writer_.add(kMergeMapTable, kMergeMapFile, *map));
  TW_TRY(writer_.generation().describe_table(kMergeMapTable, {}, {}, {}));
  return merged_->finish(options_text, {"daily_summary", "price", kMergeMapTable}, {},
                         thread_count);
}

uint64_t PnlWriter::rejected_checkpoints() const {
  return plain_.rejected_count() + (merged_ ? merged_->rejected_count() : 0);
}

}  // namespace tapeworks
