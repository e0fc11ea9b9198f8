#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "recorder/sink/recording_manifest.h"

namespace tapeworks::recorder {

/// Which published hours may go. Nothing set: none.
struct RetentionLimits {
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::min();
  int64_t before_ns = kNever;  ///< hours that ended before
  /// Likewise for files of one exchange, by its name, instead of before_ns.
  std::map<std::string, int64_t, std::less<>> exchange_before_ns = {};
  uint64_t bytes_max = 0;   ///< the oldest, while all hours together are larger; 0: no limit
  bool makes_room = false;  ///< the oldest, because the disk is short

  bool deletes() const {
    return makes_room || bytes_max != 0 || before_ns != kNever || !exchange_before_ns.empty();
  }
  int64_t before_ns_of(std::string_view exchange) const {
    const auto own = exchange_before_ns.find(exchange);
    return own == exchange_before_ns.end() ? before_ns : own->second;
  }
};

struct RetentionCounts {
  uint64_t hours = 0;
  uint64_t files = 0;
  uint64_t bytes = 0;
};

/// Deletes published hours, the oldest first: the files, then their list of the manifest, then the
/// name of that list; of exchanges that go sooner than others only their files, and what the list
/// says of them. What a crash leaves of this is finished by the next step.
/// (After a power cut a file may be there that nothing lists any more; verify --recording names
/// it.) The tables (`_gaps`, `_events`, `_instruments`, `_quarantine`) stay, and so do hours whose
/// list cannot be read, with a warning.
///
/// Memory: about 200 bytes an hour. Threads: that of the sink, which writes the same manifest.
class Retention {
 public:
  explicit Retention(std::filesystem::path output_dir) : output_dir_(std::move(output_dir)) {}

  /// Deletes one hour if there is one to delete. `is_in_use` says whether a file will be replaced
  /// or is being made; an hour with such a file stays. True when there may be more to do.
  Result<bool> step(const RetentionLimits& limits, RecordingManifest& manifest,
                    const std::function<bool(const std::string& partition)>& is_in_use,
                    const std::filesystem::path& scratch);

  /// What was known of the list of this file is out of date.
  void forget(const std::string& partition) { hours_.erase(manifest_list_of(partition)); }

  /// Whether files of that hour have been deleted since this was made, or of a later one.
  bool has_deleted(std::string_view partition) const;

  const RetentionCounts& counts() const { return counts_; }

 private:
  /// What is known of a list without reading it again.
  struct Hour {
    /// Of a list whose paths say no time.
    static constexpr int64_t kUnknownEnd = std::numeric_limits<int64_t>::max();

    uint64_t bytes = 0;
    int64_t end_ns = kUnknownEnd;
    std::set<std::string, std::less<>> exchanges;  ///< empty: a crash came between list and name

    bool is_damaged = false;  ///< the list; which files it had, nobody says

    /// What is not understood stays, however large it is.
    bool may_go() const { return !is_damaged && (exchanges.empty() || end_ns != kUnknownEnd); }
    bool is_old(const RetentionLimits& limits) const;
  };

  Result<bool> look_at(const std::vector<std::string>& lists);
  Result<std::optional<std::vector<ManifestEntry>>> read_list(const std::string& list);
  Status delete_files(const std::vector<ManifestEntry>& files);

  std::filesystem::path output_dir_;
  std::map<std::string, Hour> hours_;                          ///< by list
  std::map<std::string, int64_t, std::less<>> deleted_to_ns_;  ///< by exchange: end of an hour
  RetentionCounts counts_;
};

}  // namespace tapeworks::recorder
