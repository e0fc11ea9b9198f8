#include "pipeline/pnl_writer.h"

#include <utility>

#include <arrow/table.h>

#include "base/run_stats.h"
#include "pipeline/pnl_tables.h"
#include "pipeline/price_quality.h"

namespace tapeworks {

PnlWriter::PnlWriter(const TableWriter& writer, const ClosePrices& prices,
                     const PnlOptions& options, std::vector<std::string> symbols)
    : writer_(writer),
      prices_(prices),
      options_(options),
      accounts_(std::move(symbols), options.mode, writer.pool()) {}

Status PnlWriter::put(size_t symbol_index, const DailySummary& summary) {
  const std::string& symbol = summary.symbol;
  if (symbol.empty()) return {};
  const StageTimer timer(Stage::kPnl);
  TW_ASSIGN(const SymbolPnl pnl, compute_symbol_pnl(summary, prices_.of(symbol), options_));
  const auto add = [&](const char* table,
                       const Result<std::shared_ptr<arrow::Table>>& content) -> Status {
    if (!content) return std::unexpected(content.error());
    TableWriter::Layout layout;
    layout.store_dictionary_types = false;
    return writer_.add(table, symbol_file_path(table, symbol), **content, layout);
  };
  TW_TRY(add("pnl", pnl_table(summary, pnl, options_.mode, writer_.pool())));
  TW_TRY(add("fifo_state", fifo_state_table(summary, pnl, writer_.pool())));
  if (options_.daily) TW_TRY(add("pnl_daily", pnl_daily_table(summary, pnl, writer_.pool())));
  return accounts_.put(symbol_index, summary, pnl);
}

Status PnlWriter::finish(const std::map<std::string, std::string>& options_text,
                         size_t thread_count) {
  const PhaseTimer phase("account tables");
  TW_TRY(accounts_.order());
  const TableWriter::Layout layout{TableWriter::kQueriedRowGroupRows, false, thread_count};
  const TableWriter::StreamedContent symbol_broker{
      .schema = accounts_.schema(), .row_count = accounts_.row_count(), .rows = [&](auto... range) {
        return accounts_.rows(range...);
      }};
  TW_TRY(writer_.add("symbol_broker", "derived/symbol_broker.parquet", symbol_broker, layout));
  TW_ASSIGN(const auto ranking, accounts_.ranking());
  TW_TRY(writer_.add("broker_ranking", "derived/broker_ranking.parquet", *ranking));

  const Manifest& manifest = writer_.generation().manifest();
  const std::map<std::string, std::string> made_from{
      {"daily_summary", manifest.tables.at("daily_summary").fingerprint()},
      {"price", manifest.tables.at("price").fingerprint()}};
  std::vector<std::string> tables{"pnl", "fifo_state", "symbol_broker", "broker_ranking"};
  if (options_.daily) tables.emplace_back("pnl_daily");
  for (const std::string& table : tables) {
    std::map<std::string, uint64_t> counts;
    if (table == "pnl") counts = coverage_flaw_counts(prices_, manifest);
    TW_TRY(writer_.generation().describe_table(table, options_text, made_from, std::move(counts)));
  }
  return {};
}

}  // namespace tapeworks
