#include <algorithm>
#include <utility>
#include <vector>

#include "base/thread_tasks.h"
#include "pipeline/daily_summary_file.h"
#include "pipeline/pnl_checkpoint_folder.h"
#include "pipeline/verify_context_internal.h"

namespace tapeworks {
namespace {

constexpr const char* kName = "checkpoints";

enum class CheckpointState { kGood, kMissing, kUnusable, kNoMemory };

/// One that should be there, and what came of it.
struct WantedCheckpoint {
  std::string suffix;  ///< of the tables that it belongs to
  std::string symbol;
  CheckpointState state = CheckpointState::kMissing;
  std::string problem = {};

  std::string path() const {
    return checkpoint_path(pnl_checkpoint_name(kPnlFileTables[0] + suffix, symbol));
  }
};

std::vector<WantedCheckpoint> wanted_checkpoints(const VerifyContext& context) {
  std::vector<WantedCheckpoint> wanted;
  for (const char* const suffix : {"", kMergedSuffix}) {
    const Table* const table = context.current_table(std::string(kPnlFileTables[0]) + suffix);
    if (table == nullptr) continue;
    for (const TableFile& file : table->files) {
      wanted.push_back({.suffix = suffix, .symbol = symbol_of_file(file.path)});
    }
  }
  return wanted;
}

Status look_at(const VerifyContext& context, WantedCheckpoint& wanted) {
  const auto loaded =
      load_pnl_checkpoint(context.path_of(wanted.path()), wanted.symbol, context.budget);
  if (!loaded) {
    const bool no_memory = loaded.error().kind == ErrorKind::kMemoryBudget;
    if (!no_memory && stops_verification(loaded.error())) return std::unexpected(loaded.error());
    wanted.state = no_memory ? CheckpointState::kNoMemory : CheckpointState::kUnusable;
    wanted.problem = loaded.error().message;
  } else if (!*loaded) {
    wanted.state = CheckpointState::kMissing;
  } else if (!speaks_of((*loaded)->checkpoint, context.manifest(), wanted.suffix)) {
    wanted.state = CheckpointState::kUnusable;
    wanted.problem = "it speaks of other tables than these";
  } else {
    wanted.state = CheckpointState::kGood;
  }
  return {};
}

}  // namespace

Result<std::vector<CheckResult>> check_checkpoints(VerifyContext& context) {
  if (is_compat(context.mode)) {
    return std::vector{not_checked(kName, "compat modes keep none")};
  }
  if (context.current_table(kPnlFileTables[0]) == nullptr) {
    return std::vector{not_checked(kName, context.why_not(kPnlFileTables[0]))};
  }
  std::vector<WantedCheckpoint> wanted = wanted_checkpoints(context);
  TW_TRY(run_tasks(wanted.size(), context.options.thread_count,
                   [&](size_t index, size_t) { return look_at(context, wanted[index]); }));
  const auto count_of = [&](CheckpointState state) {
    return std::ranges::count(wanted, state, &WantedCheckpoint::state);
  };
  if (count_of(CheckpointState::kMissing) == std::ssize(wanted)) {
    return std::vector{not_checked(
        kName, "there are none; the next incremental run computes from the first trade on")};
  }
  Findings findings;
  for (size_t index = 0; index < wanted.size(); ++index) {
    WantedCheckpoint& checkpoint = wanted[index];
    // What had no room beside others may have it alone.
    if (checkpoint.state == CheckpointState::kNoMemory) TW_TRY(look_at(context, checkpoint));
    if (checkpoint.state == CheckpointState::kGood) continue;
    const std::string what = checkpoint.state == CheckpointState::kMissing
                                 ? "is missing"
                                 : fmt::format("cannot be used ({})", checkpoint.problem);
    findings.add(index, fmt::format("{} {}; the next incremental run computes the symbol from its "
                                    "first trade on",
                                    checkpoint.path(), what));
  }
  return std::vector{findings.result(kName,
                                     fmt::format("{} with good checksums, each of its symbol and "
                                                 "its tables",
                                                 count_of(CheckpointState::kGood)),
                                     CheckStatus::kWarning)};
}

}  // namespace tapeworks
