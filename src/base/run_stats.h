#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tapeworks {

// What a run did, for `--stats`. The tally is one per process, because the phases that fill it lie
// several layers below the line that prints it. Threads: any.

/// What a thread is busy with. Other work is not counted.
enum class Stage : uint8_t { kRead, kDecode, kAggregate, kSpill, kSort, kEncode, kWrite, kPnl };
inline constexpr size_t kStageCount = 8;

/// The time all threads together spent in a stage.
struct StageStats {
  std::string_view name;
  double wall_seconds = 0;  ///< waiting included
  double cpu_seconds = 0;
};

/// By stage.
std::vector<StageStats> run_stages();

/// Counts the time from its construction to its destruction for a stage, less that of stages that
/// begin and end in between. Costs two readings of the clock, so it stands around a page or a
/// batch, not around a row. Threads: each object one.
class StageTimer {
 public:
  explicit StageTimer(Stage stage);
  StageTimer(const StageTimer&) = delete;
  StageTimer& operator=(const StageTimer&) = delete;
  ~StageTimer();

 private:
  int outer_;
};

/// Adds to what went into temporary files.
void add_spilled_bytes(uint64_t bytes);
uint64_t run_spilled_bytes();

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
