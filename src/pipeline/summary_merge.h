#pragma once

#include <optional>

#include "base/result.h"
#include "pipeline/broker_mergers.h"
#include "pipeline/daily_summary.h"
#include "pipeline/mode.h"

namespace tapeworks {

/// The summary as it would be had every row been written under the code it counts for: rows of
/// merged branches are added up per (broker, date), before any FIFO. Nothing when no row changes
/// its code, so that what is known of the summary need not be computed again.
///
/// Amounts are added as good as exact and rounded once, to the width of the files. A null broker
/// merges with nobody. Memory: a second summary. Threads: any.
/// Errors: kCorrupt, naming symbol, broker and date, when a sum of shares does not fit 32 bits.
Result<std::optional<DailySummary>> merge_summary(const DailySummary& summary,
                                                  const BrokerMergers& mergers,
                                                  AmountWidth amounts);

}  // namespace tapeworks
