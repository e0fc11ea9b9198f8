#include "recorder/disk_ladder.h"

#include <algorithm>
#include <utility>

namespace tapeworks::recorder {

std::string_view name_of(DiskStep step) {
  switch (step) {
    case DiskStep::kFine:
      return "fine";
    case DiskStep::kLow:
      return "low";
    case DiskStep::kStopFeeds:
      return "stop_feeds";
    case DiskStep::kFull:
      break;
  }
  return "full";
}

DiskLadder::DiskLadder(uint64_t min_free_bytes, std::vector<uint64_t> priorities)
    : min_free_bytes_(min_free_bytes), priorities_(std::move(priorities)) {
  std::ranges::sort(priorities_);
  const auto repeated = std::ranges::unique(priorities_);
  priorities_.erase(repeated.begin(), repeated.end());
}

DiskStep DiskLadder::step_of(uint64_t free_bytes) const {
  if (free_bytes < min_free_bytes_ / 4) return DiskStep::kFull;
  if (free_bytes < min_free_bytes_ / 2) return DiskStep::kStopFeeds;
  return free_bytes < min_free_bytes_ ? DiskStep::kLow : DiskStep::kFine;
}

DiskOrders DiskLadder::round(uint64_t free_bytes, bool had_no_space) {
  if (had_no_space) held_rounds_ = kRoundsAfterNoSpace;
  if (held_rounds_ > 0) {
    --held_rounds_;
    step_ = DiskStep::kFull;
  } else {
    step_ = std::max(step_of(free_bytes), std::min(step_, step_of(free_bytes - free_bytes / 5)));
  }
  // The most important feeds go on until the end.
  const size_t stoppable = priorities_.empty() ? 0 : priorities_.size() - 1;
  if (step_ == DiskStep::kFull) {
    stopped_count_ = stoppable;
  } else if (step_ == DiskStep::kStopFeeds) {
    stopped_count_ = std::min(stopped_count_ + 1, stoppable);
  } else if (stopped_count_ > 0) {
    --stopped_count_;
  }
  return {step_, stopped_count_ == 0 ? 0 : priorities_[stopped_count_]};
}

}  // namespace tapeworks::recorder
