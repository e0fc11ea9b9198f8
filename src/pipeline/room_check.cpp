#include "pipeline/room_check.h"

#include <filesystem>
#include <system_error>

#include "base/units.h"

namespace tapeworks {

uint64_t summary_bytes_about(uint64_t input_bytes) { return input_bytes * 6 / 10; }

uint64_t pnl_bytes_about(uint64_t summary_bytes, const PnlRunOptions& pnl) {
  // Of 2.08 billion rows of 1,214 days 0.46 of the summary; of fewer days more than all of it. The
  // days of --daily are those of the summary, and days of its lots in between.
  const uint64_t of_one_set = summary_bytes * 4 / 10 + (pnl.daily ? summary_bytes : 0);
  return pnl.merge_map.empty() ? of_one_set : 2 * of_one_set;
}

Status check_room(const GenerationWriter& generation, const RoomNeeds& needs,
                  const WorkPlace& place, const MemoryBudget& budget) {
  const uint64_t run_bytes = needs.input_bytes;
  const uint64_t spill_bytes =
      run_bytes > budget.capacity_bytes() / 2 ? run_bytes - budget.capacity_bytes() / 2 : 0;
  if (place.temp_dir.empty()) {
    return generation.check_free_space(needs.output_bytes + spill_bytes);
  }
  TW_TRY(generation.check_free_space(needs.output_bytes));
  std::error_code error;
  const auto space = std::filesystem::space(place.temp_dir, error);
  if (!error && space.available < spill_bytes) {
    return io_error(
        "{}: {} are free and about {} are needed for temporary data; make room or choose "
        "another --temp-dir",
        place.temp_dir.string(), format_byte_size(space.available), format_byte_size(spill_bytes));
  }
  return {};
}

}  // namespace tapeworks
