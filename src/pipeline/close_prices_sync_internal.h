#pragma once

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "base/result.h"
#include "pipeline/close_prices_sync.h"
#include "pipeline/mode.h"
#include "storage/generation_store.h"
#include "storage/manifest.h"
#include "storage/memory_budget.h"

// What a full and an incremental sync share.
namespace tapeworks {

inline constexpr const char* kPriceTable = "price";
inline constexpr const char* kPriceFile = "price/close_prices.parquet";

/// kInvalidArgument when a table that stays was made in another mode.
Status check_price_mode(const std::optional<Manifest>& base, Mode mode);

/// Closes are as wide as the amounts that they will be compared with.
AmountWidth close_width_of(const std::optional<Manifest>& base, AmountWidth otherwise);

/// A table of a database may hold far more than is traded here: it is read for the symbols of
/// daily_summary from the first trade on. What a query or a file holds was chosen on purpose.
Status apply_table_defaults(PriceReadOptions& options, const GenerationWriter& generation,
                            MemoryBudget& budget);

/// What stands in run.json.
nlohmann::ordered_json sync_run_info(const std::string& source);

/// All tables of the base but the closes.
Status keep_all_but_prices(GenerationWriter& generation);

}  // namespace tapeworks
