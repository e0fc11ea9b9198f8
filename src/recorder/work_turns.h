#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace tapeworks::recorder {

/// When the sink's thread makes files while records wait: neither may wait for the other for long.
///
/// A step of a merge may be some syncs of a slow disk. Behind it, records have as much time as it
/// took, at the least; the next one is due then, or as soon as no record waits. Where files of
/// several hours wait already, records do not add to them: then a step is always due.
/// Threads: one.
class WorkTurns {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Of what a step took, in case it was a device that hung, or the whole machine.
  static constexpr std::chrono::seconds kRecordsTimeMax{2};
  /// Files that wait to be made; 3,000 symbols have so many in three hours.
  static constexpr uint64_t kWaitingMergesMax = 10'000;

  bool is_due(Time now, uint64_t waiting_merges) const {
    return now >= next_ || waiting_merges > kWaitingMergesMax;
  }

  void worked(Time begin, Time end) {
    next_ = end + std::min<Time::duration>(end - begin, kRecordsTimeMax);
  }

 private:
  Time next_;
};

}  // namespace tapeworks::recorder
