#pragma once

#include <cstdint>

#include "base/result.h"
#include "pipeline/pipeline.h"
#include "storage/generation_store.h"
#include "storage/memory_budget.h"

namespace tapeworks {

/// Estimates from what is there, on the low side, because a disk that would do must not be refused;
/// one that fills in spite of them ends the run as well (docs/formats/runs.md).
/// Of the tables that etl makes of so many bytes of input.
uint64_t summary_bytes_about(uint64_t input_bytes);
/// Of the tables that pnl makes of a summary of so many bytes.
uint64_t pnl_bytes_about(uint64_t summary_bytes, const PnlRunOptions& pnl);

/// What a command will write.
struct RoomNeeds {
  uint64_t output_bytes = 0;  ///< the tables of the new generation
  uint64_t input_bytes = 0;   ///< what is scanned; runs that the budget cannot hold are spilled
};

/// That there is room for the tables, and for the runs where they go. kNoSpace or kIo, saying how
/// much is needed.
Status check_room(const GenerationWriter& generation, const RoomNeeds& needs,
                  const WorkPlace& place, const MemoryBudget& budget);

}  // namespace tapeworks
