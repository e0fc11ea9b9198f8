#pragma once

#include <algorithm>
#include <cstdint>

#include "base/calendar_day.h"

namespace tapeworks {

/// What tells whether there is still somebody behind a broker's code.
struct BrokerActivity {
  Day last_trade_date = kNullDay;  ///< in any symbol; kNullDay: it never traded
  uint64_t open_positions = 0;     ///< symbols in which it has bought more than sold, or less

  bool operator==(const BrokerActivity&) const = default;

  /// Counts one symbol.
  void add(Day last_trade, bool is_open) {
    last_trade_date = std::max(last_trade_date, last_trade);
    open_positions += is_open ? 1 : 0;
  }

  /// Whether its open positions are phantoms: nobody can close them, because it has not traded for
  /// `days` calendar days before `last`, the last trade of anybody.
  bool is_phantom(Day last, uint32_t days) const {
    const int64_t silent_days =
        int64_t{last.days_since_epoch} - int64_t{last_trade_date.days_since_epoch};
    return open_positions != 0 && silent_days >= int64_t{days};
  }
};

/// After how many calendar days without a trade, unless the user says another number.
inline constexpr uint32_t kPhantomDays = 90;

}  // namespace tapeworks
