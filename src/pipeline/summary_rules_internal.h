#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/calendar_day.h"
#include "pipeline/daily_summary.h"
#include "pipeline/mode.h"
#include "pipeline/verify_context_internal.h"

// What `verify` computes from the rows of one daily summary. Pure functions; any thread.
namespace tapeworks {

/// For messages.
std::string broker_text(const DailySummary& summary, uint32_t broker_index);

/// The index of a broker, nothing being the null broker; nothing when it never traded.
std::optional<uint32_t> find_broker(const DailySummary& summary,
                                    std::optional<std::string_view> broker);

/// Bought minus sold of each broker on the days up to `last`, as lots count: negative counts, which
/// compat modes let in, do nothing.
std::vector<int64_t> net_shares(const DailySummary& summary, Day last);

/// How many brokers, and which.
RowSums sums_of_brokers(const DailySummary& summary);

/// The first row that breaks a promise of the default mode (no null broker, counts and amounts that
/// are finite and not negative), in words; empty when there is none.
std::string broken_promise(const DailySummary& summary);

/// The first date outside the years 0000 to 9999, or null where the mode does not let that in, in
/// words; empty when there is none.
std::string date_problem(const DailySummary& summary, Mode mode);

/// What all brokers together bought more than sold.
struct DayNet {
  Day day;
  int64_t net = 0;
};

/// All trade dates, ascending. For summaries without date_problem().
std::vector<DayNet> nets_by_day(const DailySummary& summary);

}  // namespace tapeworks
