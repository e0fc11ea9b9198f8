#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/result.h"
#include "pipeline/daily_summary.h"
#include "pipeline/mode.h"
#include "pipeline/symbol_pnl.h"

namespace tapeworks {

// The tables of one symbol, as they stand in pnl/, fifo_state/ and pnl_daily/. A null broker stays
// null. Nothing here writes; a table without rows is a result like any other and is to be written,
// or the lots of an older run would come back. Any thread may call these.
// Errors: kMemoryBudget when `pool` refuses.

/// A float64 column of an account and where its value is kept.
struct MoneyColumn {
  const char* name;
  double AccountPnl::* value;
};

/// The money columns of an account's row, in file order: the reference's six, and in the default
/// mode timing_score, unpriced_cost, opening_unrealized_pnl, open_long_cost, open_short_cost.
std::span<const MoneyColumn> money_columns(Mode mode);

/// Whether an account or broker with this total stands above the other one. NaN, which only compat
/// modes can have, stands last in the default order and first in the reference's.
bool ranks_above(double total_pnl, double other_total_pnl, Mode mode);

// Texts are dictionaries in memory; Layout::store_dictionary_types off makes them plain in the
// files.

/// pnl/{symbol}: rank uint32 from 1, broker string, then money_columns(); by total_pnl descending,
/// ties by broker ascending.
Result<std::shared_ptr<arrow::Table>> pnl_table(const DailySummary& summary, const SymbolPnl& pnl,
                                                Mode mode, arrow::MemoryPool* pool);

/// fifo_state/{symbol}: broker string, side string "long" or "short", shares int64, cost_per_share
/// float64, open_date date32; by broker, oldest lot first.
Result<std::shared_ptr<arrow::Table>> fifo_state_table(const DailySummary& summary,
                                                       const SymbolPnl& pnl,
                                                       arrow::MemoryPool* pool);

/// position_ledger/{symbol}: broker string, date date32, position int64, cost, realized_pnl,
/// buy_amount and sell_amount float64; by broker, date. Needs PnlOptions::ledger.
Result<std::shared_ptr<arrow::Table>> position_ledger_table(const DailySummary& summary,
                                                            const SymbolPnl& pnl,
                                                            arrow::MemoryPool* pool);

/// pnl_daily/{symbol}: broker string, date date32, realized_pnl float64, unrealized_pnl float64; by
/// broker, date. Needs PnlOptions::daily.
Result<std::shared_ptr<arrow::Table>> pnl_daily_table(const DailySummary& summary,
                                                      const SymbolPnl& pnl,
                                                      arrow::MemoryPool* pool);

}  // namespace tapeworks
