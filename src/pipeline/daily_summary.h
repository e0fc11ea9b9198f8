#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/calendar_day.h"

namespace tapeworks {

/// All trades of one symbol, summed per (broker, date): the content of
/// daily_summary/{symbol}.parquet, and what FIFO starts from.
///
/// The rows are parallel arrays of equal length, sorted by broker bytewise (a null broker first),
/// then by date, without two rows of the same (broker, date).
struct DailySummary {
  std::string symbol;
  /// Distinct broker codes, sorted bytewise; with has_null_broker, brokers[0] is "" and stands for
  /// the null broker (compat modes only).
  std::vector<std::string> brokers;
  bool has_null_broker = false;

  std::vector<uint32_t> broker_index;  ///< per row, into brokers; ascending
  std::vector<Day> date;               ///< kNullDay only in compat modes
  std::vector<int32_t> buy_shares;
  std::vector<int32_t> sell_shares;
  std::vector<double> buy_amount;   ///< money; float32 values widened unless amounts are float64
  std::vector<double> sell_amount;  ///< likewise

  size_t row_count() const { return date.size(); }

  /// Where the rows of the broker at `row` end.
  size_t end_of_broker(size_t row) const {
    const auto rest = std::span(broker_index).subspan(row);
    return row + static_cast<size_t>(std::ranges::upper_bound(rest, rest.front()) - rest.begin());
  }

  /// Keeps the memory.
  void clear_rows() {
    brokers.clear();
    has_null_broker = false;
    broker_index.clear();
    date.clear();
    buy_shares.clear();
    sell_shares.clear();
    buy_amount.clear();
    sell_amount.clear();
  }

  void reserve_rows(size_t count) {
    broker_index.reserve(count);
    date.reserve(count);
    buy_shares.reserve(count);
    sell_shares.reserve(count);
    buy_amount.reserve(count);
    sell_amount.reserve(count);
  }
};

}  // namespace tapeworks
