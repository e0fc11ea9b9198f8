#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tapeworks {

// What a run did, for `--stats`. The tally is one per process, because the phases that fill it lie
// several layers below the line that prints it. Threads: any.

/// One phase of the work. A phase that ran several times is one entry with the sums.
struct PhaseStats {
  std::string name;
  double wall_seconds = 0;
  uint64_t rows = 0;  ///< 0 when the phase does not count rows
};

/// Adds to the rows of the whole run: input rows of a job, rows read by a query.
void add_run_rows(uint64_t rows);
uint64_t run_rows();

/// The phases in the order in which they first ended.
std::vector<PhaseStats> run_phases();

/// Adds the time from its construction to its destruction to the phase `name`.
/// Threads: each object one; objects of the same phase in several threads add up.
class PhaseTimer {
 public:
  explicit PhaseTimer(std::string_view name);
  PhaseTimer(const PhaseTimer&) = delete;
  PhaseTimer& operator=(const PhaseTimer&) = delete;
  ~PhaseTimer();

  void add_rows(uint64_t rows) { rows_ += rows; }

 private:
  std::string name_;
  std::chrono::steady_clock::time_point begin_;
  uint64_t rows_ = 0;
};

}  // namespace tapeworks
