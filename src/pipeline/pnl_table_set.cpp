#include "pipeline/pnl_table_set.h"

#include <memory>
#include <utility>

#include <arrow/table.h>

#include "pipeline/pnl_tables.h"

namespace tapeworks {

PnlTableSet::PnlTableSet(const TableWriter& writer, const PnlOptions& options,
                         std::vector<std::string> symbols, std::string suffix)
    : writer_(writer),
      mode_(options.mode),
      daily_(options.daily),
      ledger_(options.ledger),
      suffix_(std::move(suffix)),
      accounts_(std::move(symbols), options.mode, writer.pool()) {}

Status PnlTableSet::put(size_t symbol_index, const DailySummary& summary, const SymbolPnl& pnl) {
  const auto add = [&](const std::string& table,
                       const Result<std::shared_ptr<arrow::Table>>& content,
                       bool store_dictionary_types = false) -> Status {
    if (!content) return std::unexpected(content.error());
    TableWriter::Layout layout;
    layout.store_dictionary_types = store_dictionary_types;
    return writer_.add(table, symbol_file_path(table, summary.symbol), **content, layout);
  };
  TW_TRY(add(name("pnl"), pnl_table(summary, pnl, mode_, writer_.pool())));
  TW_TRY(add(name("fifo_state"), fifo_state_table(summary, pnl, writer_.pool())));
  if (daily_) TW_TRY(add(name("pnl_daily"), pnl_daily_table(summary, pnl, writer_.pool())));
  if (ledger_) {
    // Read by windows, which tell accounts apart by their codes.
    TW_TRY(add(name(kPositionLedger), position_ledger_table(summary, pnl, writer_.pool()),
               /*store_dictionary_types=*/true));
  }
  return accounts_.put(symbol_index, summary, pnl);
}

Status PnlTableSet::finish(const std::map<std::string, std::string>& options_text,
                           const std::vector<std::string>& sources,
                           const std::map<std::string, uint64_t>& pnl_counts, size_t thread_count) {
  TW_TRY(accounts_.order());
  const TableWriter::Layout layout{TableWriter::kQueriedRowGroupRows, false, thread_count};
  const TableWriter::StreamedContent accounts{
      .schema = accounts_.schema(), .row_count = accounts_.row_count(), .rows = [&](auto... range) {
        return accounts_.rows(range...);
      }};
  const auto file_of = [](const std::string& table) { return "derived/" + table + ".parquet"; };
  const std::string symbol_broker = name("symbol_broker");
  TW_TRY(writer_.add(symbol_broker, file_of(symbol_broker), accounts, layout));
  TW_ASSIGN(const auto ranking, accounts_.ranking());
  const std::string broker_ranking = name("broker_ranking");
  TW_TRY(writer_.add(broker_ranking, file_of(broker_ranking), *ranking));

  GenerationWriter& generation = writer_.generation();
  std::map<std::string, std::string> made_from;
  for (const std::string& source : sources) {
    made_from[source] = generation.manifest().tables.at(source).fingerprint();
  }
  std::vector<std::string> tables{name("pnl"), name("fifo_state"), name("symbol_broker"),
                                  name("broker_ranking")};
  if (daily_) tables.push_back(name("pnl_daily"));
  if (ledger_) tables.push_back(name(kPositionLedger));
  for (const std::string& table : tables) {
    const bool is_pnl = table == name("pnl");
    auto origin = made_from;
    // Positions and their cost are what they are whatever the closes say.
    if (table == name(kPositionLedger)) origin.erase("price");
    TW_TRY(generation.describe_table(table, options_text, std::move(origin),
                                     is_pnl ? pnl_counts : std::map<std::string, uint64_t>{}));
  }
  return {};
}

}  // namespace tapeworks
