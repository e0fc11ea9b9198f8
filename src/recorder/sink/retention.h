#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <string>

#include "base/result.h"
#include "recorder/sink/recording_manifest.h"

namespace tapeworks::recorder {

/// Which published hours may go. Nothing set: none.
struct RetentionLimits {
  int64_t before_ns = std::numeric_limits<int64_t>::min();  ///< hours that ended before
  uint64_t bytes_max = 0;   ///< the oldest, while all hours together are larger; 0: no limit
  bool makes_room = false;  ///< the oldest, because the disk is short

  bool deletes() const {
    return makes_room || bytes_max != 0 || before_ns != std::numeric_limits<int64_t>::min();
  }
};

struct RetentionCounts {
  uint64_t hours = 0;
  uint64_t files = 0;
  uint64_t bytes = 0;
};

/// Deletes published hours, the oldest first, an hour as a whole: its files, then its list of the
/// manifest, then the name of that list. What a crash leaves of this is finished by the next step.
/// (After a power cut a file may be there that nothing lists any more; verify --recording names
/// it.) The tables (`_gaps`, `_events`, `_instruments`, `_quarantine`) stay.
///
/// Memory: about 100 bytes an hour. Threads: that of the sink, which writes the same manifest.
class Retention {
 public:
  explicit Retention(std::filesystem::path output_dir) : output_dir_(std::move(output_dir)) {}

  /// Deletes one hour if there is one to delete. `is_in_use` says whether a file will be replaced
  /// or is being made; an hour with such a file stays. True when there may be more to do.
  Result<bool> step(const RetentionLimits& limits, RecordingManifest& manifest,
                    const std::function<bool(const std::string& partition)>& is_in_use,
                    const std::filesystem::path& scratch);

  /// What was known of the list of this file is out of date.
  void forget(const std::string& partition) { hour_bytes_.erase(manifest_list_of(partition)); }

  const RetentionCounts& counts() const { return counts_; }

 private:
  Status delete_hour(const std::string& list, const std::vector<ManifestEntry>& files,
                     RecordingManifest& manifest, const std::filesystem::path& scratch);

  std::filesystem::path output_dir_;
  std::map<std::string, uint64_t> hour_bytes_;  ///< by list
  RetentionCounts counts_;
};

}  // namespace tapeworks::recorder
