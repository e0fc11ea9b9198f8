#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/calendar_day.h"
#include "base/result.h"
#include "pipeline/close_prices.h"
#include "storage/manifest.h"

namespace tapeworks {

/// What may be wrong with closes.
enum class PriceFlaw : uint8_t {
  kGap,       ///< trading days without a close, between two days with one
  kZero,      ///< a close of zero (compat modes; else it is no close)
  kNegative,  ///< a close below zero (compat modes; else it is refused)
  kSplit,     ///< a jump to about 1/2, 1/3, 1/4, 1/5, 1/10 or the inverse of one
  kNoClose,   ///< a symbol that is traded and has no close at all
  kNoTrades,  ///< a symbol that has closes and is not traded
};
std::string_view to_string(PriceFlaw flaw);

/// One flaw, of one symbol.
struct PriceFinding {
  std::string_view symbol;
  PriceFlaw flaw = PriceFlaw::kGap;
  std::optional<Day> first_day =
      {};  ///< kGap: the first day without; kSplit: the day before the jump
  std::optional<Day> last_day =
      {};  ///< kGap: the last day without; kSplit: the day of the new level
  std::optional<uint64_t> day_count = {};  ///< kGap: trading days without a close
  std::optional<double> close_before =
      {};  ///< kGap, kSplit: the closes around; kZero, kNegative: none
  std::optional<double> close_after = {};  ///< kGap, kSplit; kZero, kNegative: the close itself
  std::string_view ratio = {};             ///< kSplit: "1/2", "10"
};

/// The trading days as the closes tell them: those on which at least half of the symbols that are
/// listed then (between their first and last close) have a close. Ascending.
std::vector<Day> trading_calendar(const ClosePrices& prices);

/// Calls `visit` for every flaw of the closes by themselves, by symbol, then date. The symbols are
/// borrowed from `prices`.
void visit_close_flaws(const ClosePrices& prices,
                       const std::function<void(const PriceFinding&)>& visit);

/// The same for symbols that are only on one side. `traded` is sorted.
void visit_coverage_flaws(const ClosePrices& prices, const std::vector<std::string>& traded,
                          const std::function<void(const PriceFinding&)>& visit);

/// The symbols of daily_summary, sorted; empty without that table.
std::vector<std::string> traded_symbols(const Manifest& manifest);

/// For the manifest. Of table price: gap_days, closes_negative, jumps_like_split.
std::map<std::string, uint64_t> close_flaw_counts(const ClosePrices& prices);
/// Of table pnl: symbols_without_close, symbols_without_trades.
std::map<std::string, uint64_t> coverage_flaw_counts(const ClosePrices& prices,
                                                     const Manifest& manifest);

/// symbol_id, finding, first_date, last_date, days, close_before, close_after, ratio.
Result<std::shared_ptr<arrow::Table>> price_findings_table(
    const std::vector<PriceFinding>& findings, arrow::MemoryPool* pool);

}  // namespace tapeworks
