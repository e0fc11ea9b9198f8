#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "pipeline/input_index.h"
#include "pipeline/summary_reduce.h"
#include "pipeline/summary_writer.h"
#include "storage/generation_store.h"

namespace tapeworks {

/// The input of a run: its files, and what is known of them before they are scanned.
struct InputPlan {
  std::vector<std::filesystem::path> paths;  ///< as they were given
  std::vector<std::string> canonical;        ///< by file
  std::vector<FileStamp> stamps;             ///< by file, taken before it is scanned
  InputFacts facts;
  std::set<Day> old_days;       ///< of all rows of the old summary
  bool is_nothing_new = false;  ///< the old summary is what a rebuild would give
  uint64_t new_bytes = 0;       ///< of files that the old summary does not have, or that have grown

  /// Of all files, when they were stamped.
  uint64_t byte_count() const;
};

/// Everything is to be read; no file is opened yet. Errors: kIo for an object store that does not
/// answer, kCancelled.
Result<InputPlan> plan_full_scan(std::vector<std::filesystem::path> paths);

struct IncrementOptions {
  std::vector<std::string> inputs;  ///< the complete set; empty when `added` says what is new
  std::vector<std::string> added;   ///< beside the inputs of the old summary
  uint64_t vanished_max = 0;
};

/// Compares the inputs with those of the published summary: by stamps, and where a stamp differs by
/// the contents of the row groups.
/// Errors: kInvalidArgument when there is no record of the old inputs, or it was made with other
/// options; kCorrupt when the record is damaged or more than `vanished_max` inputs are missing.
Result<InputPlan> plan_increment(const IncrementOptions& options, const ScanOptions& scan,
                                 const GenerationWriter& generation, MemoryBudget& budget);

/// Is told of every symbol of the new summary when its file is there; `summary` is null where the
/// old file was linked without being read. Called from several threads at once.
using SummaryListener =
    std::function<Status(const std::string& symbol, const DailySummary* summary)>;

/// Writes daily_summary of the new generation: from the old one with the rows of `plan`'s replaced
/// days taken out and those of `runs` put in. Files that stay as they are, are linked.
/// `listener` may be empty. Errors: as reduce_to_summaries and read_daily_summary; what `listener`
/// returns.
Status replace_days(const InputPlan& plan, TransactionRuns& runs, const ReduceOptions& options,
                    MemoryBudget& budget, GenerationWriter& generation, SummaryWriter& summaries,
                    const SummaryListener& listener);

/// Writes the record of the inputs into the generation, behind the summary that was made of them.
/// Where the facts were too many for the memory there is none, and a warning says so.
Status save_input_index(InputPlan plan, const ScanOptions& scan, MemoryBudget& budget,
                        GenerationWriter& generation);

}  // namespace tapeworks
