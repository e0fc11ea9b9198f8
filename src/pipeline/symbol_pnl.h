#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/calendar_day.h"
#include "base/result.h"
#include "pipeline/close_prices.h"
#include "pipeline/daily_summary.h"
#include "pipeline/mode.h"
#include "pipeline/symbol_state.h"

namespace tapeworks {

/// What decides the numbers of a profit-and-loss run, besides the data.
struct PnlOptions {
  Mode mode = Mode::kDefault;
  /// Realised P&L, amounts and the timing series count from this day on; lots from before are kept.
  Day start = Day{19358};  // 2023-01-01
  /// The day of valuation. Trades after it are left out. Compat modes ignore it: they value each
  /// symbol at its own last trade date.
  Day as_of = {};
  /// Also fill SymbolPnl::daily.
  bool daily = false;
  /// Also fill SymbolPnl::ledger. Only in the default mode.
  bool ledger = false;
};

/// The profit and loss of one broker in one symbol. Money is in the currency of the closes.
struct AccountPnl {
  uint32_t broker_index = 0;  ///< into DailySummary::brokers
  double realized_pnl = 0;
  double unrealized_pnl = 0;
  double total_pnl = 0;
  double total_buy_amount = 0;
  double total_sell_amount = 0;
  double timing_alpha = 0;
  // The following are defined in the default mode only and stay 0 in compat modes.
  double timing_score = 0;            ///< timing_alpha over the deviation of the net shares
  double unpriced_cost = 0;           ///< sum of shares x cost where no close is known
  double opening_unrealized_pnl = 0;  ///< the unrealised level just before PnlOptions::start
  double open_long_cost = 0;          ///< sum of shares x cost of the open long lots
  double open_short_cost = 0;         ///< likewise of the open short lots
  Day last_trade_date = kNullDay;     ///< up to PnlOptions::as_of; kNullDay: none
  bool has_open_lots = false;
};

/// One open lot after the last day.
struct OpenLot {
  uint32_t broker_index = 0;
  bool is_long = true;
  int64_t shares = 0;  ///< always positive
  double cost_per_share = 0;
  Day open_date;
};

/// One row of pnl_daily: an account on a trade date of the symbol.
struct DailyPnl {
  uint32_t broker_index = 0;
  Day date;
  double realized_pnl = 0;
  double unrealized_pnl = 0;
};

/// One row of the position ledger: an account at the end of a day on which it traded.
struct LedgerRow {
  uint32_t broker_index = 0;
  Day date;
  int64_t position = 0;     ///< open shares; negative when they are short
  double cost = 0;          ///< sum of shares x cost of the open lots, always positive
  double realized_pnl = 0;  ///< of this day
  double buy_amount = 0;    ///< likewise
  double sell_amount = 0;   ///< likewise
};

/// Everything computed for one symbol. Accounts ascend by broker_index, lots by broker_index and
/// within an account from the oldest to the newest, rows of daily and ledger by (broker_index,
/// date).
struct SymbolPnl {
  std::vector<AccountPnl> accounts;
  std::vector<OpenLot> lots;
  std::vector<DailyPnl> daily;
  std::vector<LedgerRow> ledger;

  /// Keeps the memory.
  void clear() {
    accounts.clear();
    lots.clear();
    daily.clear();
    ledger.clear();
  }
};

/// FIFO lots, profit and loss and timing of every account of one symbol.
///
/// Rules: docs/commands/modes.md. Every broker of the summary gets an account, also one whose
/// trades are all left out. Pure: the same arguments give the same bits, in any thread. Errors:
/// kCorrupt for a null date, or in Mode::kCompatV1 for a null close that the reference would have
/// looked at (on a trade date, or as one end of a return). The answer stands in the memory of
/// `used`, an earlier one; an error gives it up.
Result<SymbolPnl> compute_symbol_pnl(const DailySummary& summary, const PriceSeries& prices,
                                     const PnlOptions& options, SymbolPnl&& used = {});

/// The same bits in the default mode, from a state on, leaving states behind. kInternal when the
/// state is not one of these rows, as far as that is noticed.
Result<SymbolPnl> compute_symbol_pnl(const DailySummary& summary, const PriceSeries& prices,
                                     const PnlOptions& options, PnlStates& states,
                                     SymbolPnl&& used = {});

}  // namespace tapeworks
