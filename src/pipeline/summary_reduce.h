#pragma once

#include <cstddef>
#include <functional>

#include "base/result.h"
#include "pipeline/daily_summary.h"
#include "pipeline/mode.h"
#include "pipeline/transaction_scan.h"

namespace tapeworks {

struct ReduceOptions {
  Mode mode = Mode::kDefault;
  AmountWidth amounts = AmountWidth::kFloat32;
  size_t thread_count = 1;
};

/// Takes the finished summary of one symbol, named by its number in TransactionRuns::symbols.
/// Called from several threads at once, once per symbol that has rows, in no defined order.
using SummarySink = std::function<Status(uint32_t symbol, const DailySummary& summary)>;

/// Turns the runs into complete daily summaries, one partition at a time per thread: sorts the
/// records by (symbol, broker, day), adds up those of one group, rounds each sum once.
///
/// A partition that is too large for the budget is read several times, a part of its symbols each
/// time, or of one symbol a part of its brokers. Its runs are dropped when it is done.
/// Errors: kCorrupt when a sum of shares does not fit in 32 bits (names symbol, broker, date), or
/// an amount not in its width in the default mode; kMemoryBudget when the rows of one symbol alone
/// are too many; what `sink` returns.
Status reduce_to_summaries(TransactionRuns& runs, const ReduceOptions& options,
                           MemoryBudget& budget, const SummarySink& sink);

}  // namespace tapeworks
