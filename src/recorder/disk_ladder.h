#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tapeworks::recorder {

/// How short the disk is. Each step does what those before it do as well.
enum class DiskStep : uint8_t {
  kFine,
  kLow,        ///< below min_free: warn, merge and archive early, delete what retention may
  kStopFeeds,  ///< below half of it: stop feeds, those of the lowest priority first
  kFull,       ///< below a quarter: no feed runs, and the reserve is given up
};
std::string_view name_of(DiskStep step);

/// What holds until the next round.
struct DiskOrders {
  DiskStep step = DiskStep::kFine;
  uint64_t lowest_priority = 0;  ///< feeds below stay closed

  bool may_run(uint64_t priority) const {
    return step != DiskStep::kFull && priority >= lowest_priority;
  }
  bool operator==(const DiskOrders&) const = default;
};

/// Decides by the free room, round by round, what is to be done about a disk that fills. It climbs
/// at once and comes down only when there is a quarter more than the step needs, so that feeds do
/// not come and go with each file. No I/O and no clock.
class DiskLadder {
 public:
  /// After a write that found no room although the system says that there is some (a quota, or
  /// somebody else filling the disk), so many rounds are spent on kFull.
  static constexpr int kRoundsAfterNoSpace = 10;

  /// `priorities` of all feeds, in any order. A min_free of 0: nothing is ever short.
  DiskLadder(uint64_t min_free_bytes, std::vector<uint64_t> priorities);

  /// One round. `free_bytes` is without what the reserve still wants to have.
  DiskOrders round(uint64_t free_bytes, bool had_no_space = false);

 private:
  DiskStep step_of(uint64_t free_bytes) const;

  uint64_t min_free_bytes_;
  std::vector<uint64_t> priorities_;  ///< ascending, each once
  DiskStep step_ = DiskStep::kFine;
  size_t stopped_count_ = 0;  ///< of priorities_, from the lowest
  int held_rounds_ = 0;
};

}  // namespace tapeworks::recorder
