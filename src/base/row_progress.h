#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace tapeworks {

/// One line on stderr for rows that arrive from somewhere else: how many so far, of how many as far
/// as is known, and how fast. Drawn and removed as Progress does it (base/progress.h), and shown
/// when that is. Threads: one.
class RowProgress {
 public:
  explicit RowProgress(std::string label);
  RowProgress(const RowProgress&) = delete;
  RowProgress& operator=(const RowProgress&) = delete;
  ~RowProgress();

  /// `expected` is the number of all rows, 0 when nobody knows. It may be a guess that changes.
  void set(uint64_t rows, uint64_t expected);

  /// "reading closes: 1,200,000 of about 3,400,000 rows, 400,000 a second".
  static std::string text(const std::string& label, uint64_t rows, uint64_t expected,
                          double seconds);

 private:
  std::string label_;
  std::chrono::steady_clock::time_point begin_;
  std::chrono::steady_clock::time_point next_draw_;
  bool drawn_ = false;
};

}  // namespace tapeworks
