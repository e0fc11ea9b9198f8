#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "base/result.h"
#include "pipeline/close_prices_sync.h"
#include "storage/generation_store.h"
#include "storage/memory_budget.h"

// What a full and an incremental sync share.
namespace tapeworks {

inline constexpr const char* kPriceTable = "price";
inline constexpr const char* kPriceFile = "price/close_prices.parquet";

/// A sync that has begun.
struct PriceSync {
  GenerationWriter generation;
  PriceReadOptions prices;  ///< as the tables of the base want them: width, symbols, first day
};

/// Looks at the source, begins a generation, and decides what of the source is read. Errors:
/// kInvalidArgument when a table that stays was made in another mode; as sync_prices().
Result<PriceSync> begin_price_sync(const SyncOptions& options, MemoryBudget& budget);

/// Writes the closes, keeps all other tables and publishes. `changes` goes into run.json, unless it
/// is null. Returns what was published, for the person at the terminal.
Result<std::string> publish_prices(PriceSync& sync, const PriceReadResult& prices,
                                   const nlohmann::ordered_json& changes, MemoryBudget& budget);

}  // namespace tapeworks
