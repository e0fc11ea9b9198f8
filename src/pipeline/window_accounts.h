#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/calendar_day.h"
#include "base/result.h"
#include "pipeline/close_prices.h"
#include "pipeline/daily_summary.h"

namespace tapeworks {

/// Both days belong to the window.
struct DayWindow {
  Day from;
  Day to;
};

/// What one broker did in a window, in one symbol.
struct WindowAccount {
  std::optional<std::string> broker;  ///< nothing: the null broker
  double realized_pnl = 0;
  double unrealized_change = 0;  ///< the level at the end minus that before the first day
  double buy_amount = 0;
  double sell_amount = 0;
  int64_t net_shares = 0;
};

// The accounts of one symbol that traded in a window, or gained or lost by what they held, by
// broker. Both functions give the same accounts; their money may differ in the last digits, because
// a ledger has every day rounded.

/// By FIFO from the first trade on. Errors: kCorrupt for a null date.
Result<std::vector<WindowAccount>> window_accounts(const DailySummary& summary,
                                                   const PriceSeries& closes, DayWindow window);

/// From a file of position_ledger that reaches to the end of the window, without FIFO. Errors: as
/// read_parquet; kCorrupt for rows that no ledger has.
Result<std::vector<WindowAccount>> ledger_window_accounts(const std::filesystem::path& path,
                                                          const PriceSeries& closes,
                                                          DayWindow window,
                                                          arrow::MemoryPool* pool);

}  // namespace tapeworks
