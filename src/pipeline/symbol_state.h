#pragma once

#include <cstdint>
#include <vector>

#include "base/calendar_day.h"
#include "base/double_double.h"
#include "pipeline/timing.h"

namespace tapeworks {

/// Where one account stands when all its trades up to a day have been counted.
///
/// Its open lots are not in it: the k-th share bought is always matched with the k-th share sold,
/// so they are the newest `open_shares` shares of the side, and its rows say what these cost.
struct AccountState {
  int64_t open_shares = 0;  ///< of long lots; with a minus, of short lots
  // Since PnlOptions::start.
  DoubleDouble realized;
  DoubleDouble buy_amount;
  DoubleDouble sell_amount;
  double opening_unrealized_pnl = 0;
  /// Without the symbol's last trade date up to the day, whose next return is not known that day.
  TimingSums timing;
};

/// Where the accounts of a symbol stand at the end of a day: all brokers that have a row up to it,
/// in the order of the summary.
struct SymbolState {
  Day day;
  std::vector<AccountState> accounts;
};

/// Where a computation of P&L may begin, and where it is to leave states behind.
struct PnlStates {
  /// A state that belongs to the same rows and closes up to its day, which is not after
  /// PnlOptions::as_of; null: begin with the first row. Not with PnlOptions::daily or ledger.
  const SymbolState* from = nullptr;
  std::vector<Day> save_days = {};  ///< ascending; those up to from->day or after as_of do nothing
  std::vector<SymbolState> saved = {};  ///< ascending by day; what save_days asked for
};

}  // namespace tapeworks
