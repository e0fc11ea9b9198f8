#include "pipeline/traded_symbols.h"

#include <algorithm>
#include <memory>

#include <parquet/metadata.h>
#include <parquet/statistics.h>

#include "pipeline/daily_summary_file.h"
#include "storage/arrow_status_internal.h"
#include "storage/parquet_input.h"

namespace tapeworks {
namespace {

/// The least date by the statistics of the row groups; nothing where one has none, as in tables
/// that another program wrote.
Result<std::optional<Day>> first_day_of(const std::filesystem::path& path, MemoryBudget& budget) {
  TW_ASSIGN(const ParquetInput file, ParquetInput::open(path, budget));
  TW_ASSIGN(const int date, file.find_column("date"));
  return catch_parquet(path.string(), [&]() -> Result<std::optional<Day>> {
    std::optional<Day> first;
    for (int group = 0; group < file.row_group_count(); ++group) {
      const auto statistics = file.metadata().RowGroup(group)->ColumnChunk(date)->statistics();
      const auto* days = dynamic_cast<const parquet::Int32Statistics*>(statistics.get());
      if (days == nullptr || !days->HasMinMax()) return std::nullopt;
      const Day least{days->min()};
      first = first ? std::min(*first, least) : least;
    }
    return first;
  });
}

}  // namespace

Result<TradedSymbols> traded_symbols(const std::filesystem::path& generation,
                                     const Manifest& manifest, MemoryBudget& budget) {
  TradedSymbols result;
  const Table* summary = manifest.find("daily_summary");
  if (summary == nullptr) return result;
  bool all_known = true;
  for (const TableFile& file : summary->files) {
    if (file.row_count == 0) continue;
    result.symbols.insert(symbol_of_file(file.path));
    TW_ASSIGN(const auto first, first_day_of(generation / file.path, budget));
    all_known = all_known && first.has_value();
    if (first) result.first_day = result.first_day ? std::min(*result.first_day, *first) : *first;
  }
  if (!all_known) result.first_day.reset();
  return result;
}

}  // namespace tapeworks
