#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>

#include "base/calendar_day.h"
#include "base/result.h"
#include "storage/manifest.h"
#include "storage/memory_budget.h"

namespace tapeworks {

/// Whose closes a data directory needs, and from when on.
struct TradedSymbols {
  std::set<std::string, std::less<>> symbols;
  std::optional<Day> first_day;  ///< of any trade; nothing when there is none
};

/// Looks at the names and the footers of the files of table daily_summary below `generation`; empty
/// when the manifest has no such table. Errors: as ParquetInput::open.
Result<TradedSymbols> traded_symbols(const std::filesystem::path& generation,
                                     const Manifest& manifest, MemoryBudget& budget);

}  // namespace tapeworks
