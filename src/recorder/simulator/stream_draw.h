#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tapeworks::simulator {

inline constexpr uint64_t kActivityRangeMax = 1'000'000;

/// Chooses the stream of the next message at random. With an activity range of 1 all are alike;
/// otherwise a venue's first symbol has so many times the messages of its last one, and from one to
/// the next they become fewer by the same factor. A pure function of seed, calls and streams.
class StreamDraw {
 public:
  /// `activity_range` from 1 to kActivityRangeMax; `symbol_count` is a venue's.
  StreamDraw(uint64_t seed, uint64_t activity_range, size_t symbol_count)
      : seed_(seed), activity_range_(activity_range), symbol_count_(symbol_count) {}

  /// A stream more, of the venue's symbol with this index. Those listed later than the first
  /// `symbol_count` are as quiet as the last of them.
  void add(uint32_t symbol_index);
  void clear() { weights_until_.clear(); }
  size_t size() const { return weights_until_.size(); }

  /// The place of one among those added; there must be one.
  size_t next();

 private:
  uint64_t seed_;
  uint64_t activity_range_;
  size_t symbol_count_;
  uint64_t draw_count_ = 0;
  std::vector<double> weights_until_;  ///< sums of the weights up to and with each stream
};

}  // namespace tapeworks::simulator
