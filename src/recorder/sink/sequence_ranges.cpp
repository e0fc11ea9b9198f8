#include "recorder/sink/sequence_ranges.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace tapeworks::recorder {
namespace {

constexpr int64_t kHighest = std::numeric_limits<int64_t>::max();

/// Whether a range that ends at `last` touches one that begins at `first`, or overlaps it.
bool reaches(int64_t last, int64_t first) { return last == kHighest || last + 1 >= first; }

}  // namespace

void SequenceRanges::add(int64_t first, int64_t last) {
  if (first > last) return;
  auto next = ranges_.upper_bound(first);
  if (next != ranges_.begin() && reaches(std::prev(next)->second, first)) --next;
  while (next != ranges_.end() && reaches(last, next->first)) {
    first = std::min(first, next->first);
    last = std::max(last, next->second);
    next = ranges_.erase(next);
  }
  ranges_.emplace_hint(next, first, last);
}

void SequenceRanges::add_all(const SequenceRanges& other) {
  for (const auto& [first, last] : other.ranges_) add(first, last);
}

std::vector<SequenceRange> SequenceRanges::missing(const SequenceRanges& explained,
                                                   size_t count_max) const {
  std::vector<SequenceRange> found;
  if (ranges_.empty()) return found;
  for (auto before = ranges_.begin(), next = std::next(before);
       next != ranges_.end() && found.size() < count_max; before = next++) {
    // Nothing overflows: there is a greater number behind, and a smaller one in front.
    int64_t at = before->second + 1;
    const int64_t end = next->first - 1;
    auto known = explained.ranges_.upper_bound(at);
    if (known != explained.ranges_.begin()) --known;
    while (at <= end && found.size() < count_max) {
      if (known == explained.ranges_.end() || known->first > end) {
        found.push_back({at, end});
        break;
      }
      if (known->first > at) found.push_back({at, known->first - 1});
      if (known->second >= end) break;
      at = std::max(at, known->second + 1);
      ++known;
    }
  }
  return found;
}

}  // namespace tapeworks::recorder
