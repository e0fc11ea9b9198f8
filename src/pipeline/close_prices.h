#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/calendar_day.h"
#include "base/result.h"

namespace tapeworks {

/// The closes of one symbol: parallel arrays sorted by date, one entry a date. A close that is
/// missing (null) is NaN. Float32 closes are widened.
struct PriceSeries {
  std::vector<Day> date;
  std::vector<double> close;
};

/// Closes by symbol. Read-only after it was made, so any thread may look things up.
class ClosePrices {
 public:
  explicit ClosePrices(std::map<std::string, PriceSeries, std::less<>> by_symbol = {})
      : by_symbol_(std::move(by_symbol)) {}

  /// The empty series for a symbol without closes. The reference lives as long as this object.
  const PriceSeries& of(std::string_view symbol) const {
    static const PriceSeries kNone;
    const auto found = by_symbol_.find(symbol);
    return found == by_symbol_.end() ? kNone : found->second;
  }

  const std::map<std::string, PriceSeries, std::less<>>& by_symbol() const { return by_symbol_; }

  /// About how much memory the series take, for whoever accounts for it.
  uint64_t byte_count() const;

 private:
  std::map<std::string, PriceSeries, std::less<>> by_symbol_;
};

/// Takes the closes out of a table whose first three columns are symbol, date and close, in any
/// order of rows; of several rows of one (symbol, date) the last counts. `where` begins each
/// message. Errors: kCorrupt for columns of other types and rows without symbol or date.
Result<ClosePrices> close_prices_of(const arrow::Table& table, const std::string& where);

/// Reads price/close_prices.parquet of a generation, as `sync` wrote it or another program did
/// before it was adopted. Errors: as read_parquet and close_prices_of.
Result<ClosePrices> load_close_prices(const std::filesystem::path& path, arrow::MemoryPool* pool);

}  // namespace tapeworks
