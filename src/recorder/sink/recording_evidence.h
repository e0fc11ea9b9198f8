#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/result.h"
#include "recorder/sink/sequence_ranges.h"

namespace tapeworks::recorder {

/// What the files of a recording say together about the numbers of its contiguous streams: the ones
/// they have, the ones that are known to be missing, and what remains.
///
/// Order: all tables `_events`, then all tables `_gaps`, then rows in any order of files.
/// Memory: about 64 bytes a range of numbers, at most kRangesMax of them, and 24 a recorded gap, at
/// most kGapsMax; beyond that is_whole() is false and holes are no longer judged. Threads: one.
class RecordingEvidence {
 public:
  static constexpr size_t kRangesMax = 1'000'000;
  static constexpr size_t kGapsMax = 1'000'000;

  /// `market` is the folder of the table: "binance_spot".
  void add_events(const std::string& market, const arrow::Table& rows);
  void add_gaps(const std::string& market, const arrow::Table& rows);
  void add_rows(const arrow::Table& rows);
  /// The log that a file was made of begins inside its hour; `streams` are its certificate's. What
  /// is missing in front of it is explained by that.
  void add_beginning(const std::string& streams, uint64_t first_lsn);

  /// Whether `_gaps` has the gap that an entry of a certificate tells of.
  bool knows_gap(const std::string& gap_json) const;
  bool is_whole() const { return range_count_ <= kRangesMax && gaps_.size() < kGapsMax; }

  /// Numbers of a contiguous stream that no row has and nothing explains.
  struct Hole {
    std::string exchange;
    std::string market;
    std::string transport;
    std::string symbol;
    SequenceRange numbers;
  };
  /// Streams in the order of their names; at most `count_max`.
  std::vector<Hole> unexplained(size_t count_max) const;

 private:
  static constexpr size_t kEveryEpoch = std::numeric_limits<size_t>::max();

  /// Between two resets of its numbers.
  struct Epoch {
    SequenceRanges numbers;
    std::vector<int64_t> beginnings;
  };
  /// By market, stream and symbol, because tables name no transport.
  struct Explained {
    std::vector<uint64_t> reset_lsns;
    std::map<size_t, SequenceRanges> ranges;  ///< by epoch
  };

  size_t epoch_of(const std::string& explained_key, uint64_t lsn) const;
  void add_range(SequenceRanges& ranges, int64_t first, int64_t last);

  std::map<std::string, Explained, std::less<>> explained_;
  std::map<std::string, std::map<size_t, Epoch>, std::less<>> streams_;
  std::unordered_set<uint64_t> gaps_;  ///< hashes
  size_t range_count_ = 0;
};

}  // namespace tapeworks::recorder
