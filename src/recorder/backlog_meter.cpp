#include "recorder/backlog_meter.h"

namespace tapeworks::recorder {

void BacklogMeter::mark(uint64_t end_lsn) {
  const uint64_t marked_bytes = marks_.empty() ? consumed_bytes_ : marks_.back().total_bytes;
  if (marked_bytes == total_bytes_) return;  // the earlier mark says it already
  if (marks_.size() == kMarksMax) {
    // Every other one goes; the last one, which says the most, stays.
    std::deque<Mark> sparser;
    for (size_t i = 1; i < marks_.size(); i += 2) sparser.push_back(marks_[i]);
    marks_ = std::move(sparser);
  }
  marks_.push_back({end_lsn, total_bytes_});
}

uint64_t BacklogMeter::unconsumed_bytes(uint64_t consumed_lsn) {
  while (!marks_.empty() && marks_.front().end_lsn <= consumed_lsn + 1) {
    consumed_bytes_ = marks_.front().total_bytes;
    marks_.pop_front();
  }
  return total_bytes_ - consumed_bytes_;
}

}  // namespace tapeworks::recorder
