#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "pipeline/broker_activity.h"
#include "pipeline/transaction_source.h"
#include "storage/memory_budget.h"

namespace tapeworks {

enum class CheckStatus { kOk, kWarning, kFailed, kNotChecked };

constexpr std::string_view to_string(CheckStatus status) {
  switch (status) {
    case CheckStatus::kOk:
      return "ok";
    case CheckStatus::kWarning:
      return "warning";
    case CheckStatus::kFailed:
      return "failed";
    case CheckStatus::kNotChecked:
      break;
  }
  return "not checked";
}

/// What one check of a data directory came to.
struct CheckResult {
  std::string check;  ///< its name: "files", "open_lots"
  CheckStatus status = CheckStatus::kOk;
  uint64_t count = 0;  ///< how many things are not as they should be
  /// What was looked at when all is well; otherwise the first finding, in an order that does not
  /// depend on threads; or why nothing was checked.
  std::string detail;
};

struct VerifyOptions {
  std::filesystem::path data_dir = "data";
  size_t thread_count = 1;
  /// Also computes the P&L of every symbol anew and compares it with the files.
  bool full = false;
  /// A broker with open lots that has not traded for so many calendar days is a phantom.
  uint32_t phantom_days = kPhantomDays;
  /// When not empty: also sums the transactions of these inputs again and compares.
  std::vector<std::string> inputs = {};
  TransactionColumnNames columns = {};  ///< of the inputs
  std::filesystem::path temp_dir = {};  ///< for what does not fit in memory; empty: the system's
};

/// Checks the current generation against its manifest and its tables against each other, in a fixed
/// order; docs/commands/verify.md lists the checks. Damage is a result, not an error.
///
/// Memory: one symbol per thread, within `budget`; where that is short, fewer threads work.
/// Errors: kInvalidArgument when there is no data directory, kMemoryBudget, kCancelled.
Result<std::vector<CheckResult>> verify_generation(const VerifyOptions& options,
                                                   MemoryBudget& budget);

/// No check failed. Warnings do not count.
bool all_passed(const std::vector<CheckResult>& results);

}  // namespace tapeworks
