#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace tapeworks::recorder {

struct SequenceRange {
  int64_t first = 0;
  int64_t last = 0;  ///< inclusive

  bool operator==(const SequenceRange&) const = default;
};

/// A set of sequence numbers, kept as ranges: what a stream has, or what is known to be missing.
/// Memory: about 64 bytes a range; numbers that follow each other are one. Threads: one.
class SequenceRanges {
 public:
  /// In any order, and more than once if need be. Nothing when `first` is above `last`.
  void add(int64_t first, int64_t last);
  void add_all(const SequenceRanges& other);

  /// Numbers between the lowest and the highest of this set that are neither here nor among
  /// `explained`, in order; at most `count_max` ranges.
  std::vector<SequenceRange> missing(const SequenceRanges& explained, size_t count_max) const;

  size_t size() const { return ranges_.size(); }

 private:
  std::map<int64_t, int64_t> ranges_;  ///< first and last; neither overlapping nor adjacent
};

}  // namespace tapeworks::recorder
