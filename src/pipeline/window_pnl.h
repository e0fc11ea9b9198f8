#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include <arrow/type_fwd.h>

#include "base/calendar_day.h"
#include "base/result.h"
#include "pipeline/query.h"
#include "pipeline/window_accounts.h"
#include "storage/memory_budget.h"

namespace tapeworks {

// Profit and loss within a window of days: from the position ledger where there is one that reaches
// so far, otherwise from daily_summary by FIFO from the first trade on. In both what was bought
// before the window has its true cost. Always by the rules of the default mode, in whatever mode
// the tables were made. With merged brokers the summary is merged first, by the map that the
// generation keeps; without one they are kNotFound.
//
// Columns: rank uint32 from 1, broker, name, total_pnl = realized_pnl + unrealized_change,
// realized_pnl (realised inside the window), unrealized_change (unrealised level on the last day
// minus the level before the first), net_shares int64 (bought minus sold inside; of one symbol
// only), total_buy_amount, total_sell_amount. By total_pnl descending, ties by broker. Listed are
// brokers that traded in the window or gained or lost by what they held.

/// The brokers of one symbol. Without `from` the window begins with the symbol's first trade date,
/// without `to` it ends with the last trade date of the data.
/// Errors: kNotFound for an unknown symbol, a missing table or a window in which nothing happened.
Result<std::shared_ptr<arrow::Table>> symbol_window_answer(const QueryContext& context,
                                                           const std::string& symbol,
                                                           std::optional<Day> from,
                                                           std::optional<Day> to);

/// All brokers over all symbols, the sums as good as exact and rounded once.
///
/// Memory: prices, and per thread one symbol; a symbol waits while the budget cannot take it.
/// Errors: as above; kMemoryBudget when one symbol alone does not fit.
Result<std::shared_ptr<arrow::Table>> rolling_answer(const QueryContext& context, DayWindow window,
                                                     MemoryBudget& budget, size_t thread_count);

/// The last trade date of the whole data set: from the manifest, or where that does not tell
/// (adopted folders) from the files. Errors: kNotFound without daily_summary or any row in it.
Result<Day> last_trade_date(const QueryContext& context, size_t thread_count);

}  // namespace tapeworks
