#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/calendar_day.h"
#include "base/result.h"
#include "pipeline/close_prices.h"
#include "pipeline/close_prices_sync.h"
#include "storage/memory_budget.h"

namespace tapeworks {

/// A close that is another one than before. NaN: there was, or is, no close.
struct PriceCorrection {
  std::string symbol;
  Day date;
  double before = 0;
  double after = 0;
};

/// What a fetch changed.
struct PriceChanges {
  std::vector<PriceCorrection> corrections;  ///< by symbol, then date; only of days known before
  uint64_t added = 0;                        ///< days that were not known
  uint64_t vanished = 0;  ///< known days that the source has no more, and that went
  uint64_t kept = 0;      ///< such days that stayed

  bool is_nothing() const { return corrections.empty() && added == 0 && vanished == 0; }
};

/// Which of the known closes a fetch answers for.
struct PriceWindow {
  std::optional<Day> from;  ///< earlier days were not asked for; nothing: all were
  /// What becomes of known days that the source has no more.
  bool keeps_vanished = false;
};

struct MergedPrices {
  ClosePrices prices;
  PriceChanges changes;
};

/// The known closes with those of a fetch put in their place. Symbols of `fetched` that are not
/// known must have been fetched from their first day on.
MergedPrices merge_prices(const ClosePrices& known, const ClosePrices& fetched,
                          const PriceWindow& window);

struct PriceIncrement {
  bool is_incremental = false;  ///< otherwise everything is fetched
  bool keeps_vanished = false;
  /// Days before the last known one that are fetched again, because sources correct them.
  int32_t overlap_days = 10;
};

enum class SyncOutcome { kPublished, kNothingNew };

/// The commands `sync --incremental` and `sync --keep`: the closes of the base, with what the
/// source has now put in their place; corrections are named on stderr and in run.json.
/// Without closes in the base it is a full sync. kNothingNew: the source has no other closes, and
/// no generation was published. Errors: as sync_prices; kInvalidArgument when the base has closes
/// of another mode, width or adjustment.
Result<SyncOutcome> sync_changed_prices(const SyncOptions& options, const PriceIncrement& increment,
                                        MemoryBudget& budget);

}  // namespace tapeworks
