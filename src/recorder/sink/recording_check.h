#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "recorder/sink/log_comparison.h"
#include "storage/memory_budget.h"

namespace tapeworks::recorder {

enum class CoverageStatus : uint8_t {
  kOk,       ///< as published, and nothing is known to be missing
  kGaps,     ///< as published; what may be missing is recorded
  kOpen,     ///< as published before its hour was over
  kPartial,  ///< as published; the log that it was made of lacks a part of the hour
  kFailed,   ///< damaged, missing or unknown, or numbers are missing that nothing explains
};

constexpr std::string_view name_of(CoverageStatus status) {
  switch (status) {
    case CoverageStatus::kOk:
      return "ok";
    case CoverageStatus::kGaps:
      return "gaps";
    case CoverageStatus::kOpen:
      return "open";
    case CoverageStatus::kPartial:
      return "partial";
    case CoverageStatus::kFailed:
      break;
  }
  return "failed";
}

/// One stream of one symbol in one file; or a file as a whole (a table of a day, and whatever
/// failed); or a hole in the numbers of a stream, which may lie between files (`path` is empty).
struct CoverageRow {
  CoverageStatus status = CoverageStatus::kOk;
  std::string path;  ///< in the recording
  std::string exchange;
  std::string market;
  std::string symbol;
  std::string stream;
  std::string transport;
  std::string sequence_class;
  std::optional<uint64_t> row_count;
  std::optional<int64_t> first_sequence;
  std::optional<int64_t> last_sequence;
  uint64_t gap_count = 0;      ///< recorded, that concern it
  uint64_t missing_count = 0;  ///< numbers in those gaps; of a failed hole: its own
  std::string detail;          ///< the first finding
  /// The log gives the same file. Not set where it was not asked or cannot tell.
  bool is_as_in_log = false;
};

struct RecordingCheck {
  uint64_t file_count = 0;
  uint64_t row_count = 0;        ///< of market data
  uint64_t failed_count = 0;     ///< rows of the coverage table with the status kFailed
  uint64_t as_in_log_count = 0;  ///< files that the log gives as well
};

/// Checks a recording from its files: the manifest against the folder, each file against manifest,
/// certificate and path, the gaps of certificates against `_gaps`, and the numbers of contiguous
/// streams, over all hours, against what is recorded as missing; with a log, each file that it has
/// whole against what it gives, and what it gives against the files. Gives the coverage to `take`,
/// a row at a time: tables first, then hour by hour, then what is found in the end.
///
/// Damage is a result, not an error. Nothing is written. A recorder may be at work: a file that it
/// replaces meanwhile is looked at again.
/// Memory: within `budget`: a row group, eight bytes a file, and RecordingEvidence.
/// Errors: kInvalidArgument when the folder holds no recording, kIo, kMemoryBudget, kCancelled, and
/// what `take` returns.
Result<RecordingCheck> check_recording(const std::filesystem::path& output_dir,
                                       MemoryBudget& budget,
                                       const std::function<Status(CoverageRow)>& take,
                                       const LogComparison* log = nullptr);

}  // namespace tapeworks::recorder
