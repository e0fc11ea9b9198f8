#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

namespace tapeworks::recorder {

/// How many bytes of a feed are in the log and have not been taken by the sink.
///
/// Memory: one mark for each call of mark() that the sink has not passed, at most kMarksMax; then
/// marks get sparser. Threads: one.
class BacklogMeter {
 public:
  static constexpr size_t kMarksMax = 4096;

  void add(uint64_t bytes) { total_bytes_ += bytes; }

  /// Everything added so far has LSNs below `end_lsn`. Call about once a second.
  void mark(uint64_t end_lsn);

  /// The bytes added after the last mark that `consumed_lsn` has passed.
  uint64_t unconsumed_bytes(uint64_t consumed_lsn);

 private:
  struct Mark {
    uint64_t end_lsn;
    uint64_t total_bytes;
  };
  std::deque<Mark> marks_;
  uint64_t total_bytes_ = 0;
  uint64_t consumed_bytes_ = 0;
};

}  // namespace tapeworks::recorder
