#include "pipeline/symbol_days.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include "base/hot_loop.h"

namespace tapeworks {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
// 180 years of days; a table of that size still fits a second-level cache.
constexpr int64_t kTableDaysMax = int64_t{1} << 16;

/// The first and the last of days that are not ordered; there must be one.
TW_HOT_LOOP std::pair<Day, Day> range_of(std::span<const Day> days) {
  int32_t first = days[0].days_since_epoch;
  int32_t last = first;
  for (const Day day : days) {
    first = std::min(first, day.days_since_epoch);
    last = std::max(last, day.days_since_epoch);
  }
  return {Day{first}, Day{last}};
}

Status check_dates(const DailySummary& summary) {
  const auto null_date = std::find(summary.date.begin(), summary.date.end(), kNullDay);
  if (null_date == summary.date.end()) return {};
  const auto row = static_cast<size_t>(null_date - summary.date.begin());
  return corrupt(
      "symbol {}: broker {} has a row without a date, which profit and loss cannot place; remove "
      "it "
      "from the input and run etl again",
      summary.symbol, summary.brokers[summary.broker_index[row]]);
}

/// Whether the reference's first state compares or subtracts the close at `i`, which stops it when
/// the close is null.
bool seed_state_looks_at(const PriceSeries& prices, const std::vector<Day>& trade_dates, size_t i) {
  if (std::binary_search(trade_dates.begin(), trade_dates.end(), prices.date[i])) return true;
  const bool starts_return = i + 1 < prices.date.size();
  const bool ends_return = i > 0 && prices.close[i - 1] > 0;
  return starts_return || ends_return;
}

Status check_null_closes(const DailySummary& summary, const PriceSeries& prices,
                         const std::vector<Day>& trade_dates) {
  for (size_t i = 0; i < prices.date.size(); ++i) {
    if (!std::isnan(prices.close[i]) || !seed_state_looks_at(prices, trade_dates, i)) continue;
    return corrupt(
        "symbol {}: the close of {} is null, at which --compat v1 stops as the reference does; "
        "give "
        "it a close, remove its row, or use another mode",
        summary.symbol, to_string(prices.date[i]));
  }
  return {};
}

/// Returns between consecutive closes, at those trade dates that have a close.
std::vector<double> day_returns(const PriceSeries& closes, const std::vector<Day>& trade_dates) {
  std::vector<double> returns(trade_dates.size(), 0.0);
  size_t at = 0;
  for (size_t i = 1; i < closes.date.size(); ++i) {
    while (at < trade_dates.size() && trade_dates[at] < closes.date[i]) ++at;
    if (at == trade_dates.size()) break;
    const double before = closes.close[i - 1];
    if (trade_dates[at] != closes.date[i] || !(before > 0)) continue;
    returns[at] = (closes.close[i] - before) / before;
  }
  return returns;
}

/// The last known close of each trade date, whether or not its day was a trade date.
std::vector<double> carried_prices(const PriceSeries& closes, const std::vector<Day>& trade_dates) {
  std::vector<double> prices(trade_dates.size(), kUnknown);
  size_t next = 0;
  double last = kUnknown;
  for (size_t i = 0; i < trade_dates.size(); ++i) {
    while (next < closes.date.size() && closes.date[next] <= trade_dates[i]) {
      last = closes.close[next++];
    }
    prices[i] = last;
  }
  return prices;
}

/// The reference's prices: a missing close is the last positive one of an earlier trade date, and
/// closes of other days are not seen.
std::vector<double> reference_prices(const PriceSeries& closes,
                                     const std::vector<Day>& trade_dates) {
  std::vector<double> prices(trade_dates.size(), 0.0);
  size_t next = 0;
  double last = 0;
  for (size_t i = 0; i < trade_dates.size(); ++i) {
    while (next < closes.date.size() && closes.date[next] < trade_dates[i]) ++next;
    const bool has_close = next < closes.date.size() && closes.date[next] == trade_dates[i];
    prices[i] = has_close ? closes.close[next] : last;
    if (prices[i] > 0) last = prices[i];
  }
  return prices;
}

}  // namespace

PriceSeries known_closes(const PriceSeries& prices, bool zero_is_close) {
  PriceSeries known;
  known.date.reserve(prices.date.size());
  known.close.reserve(prices.date.size());
  for (size_t i = 0; i < prices.date.size(); ++i) {
    const double close = prices.close[i];
    const bool is_close = zero_is_close ? !std::isnan(close) : close > 0 && std::isfinite(close);
    if (!is_close) continue;
    known.date.push_back(prices.date[i]);
    known.close.push_back(close);
  }
  return known;
}

double last_close(const PriceSeries& closes, Day day, bool inclusive) {
  const auto end = inclusive ? std::upper_bound(closes.date.begin(), closes.date.end(), day)
                             : std::lower_bound(closes.date.begin(), closes.date.end(), day);
  if (end == closes.date.begin()) return kUnknown;
  return closes.close[static_cast<size_t>(end - closes.date.begin()) - 1];
}

TradeDates::TradeDates(const DailySummary& summary, Day last) {
  if (summary.date.empty()) return;
  const auto [first, newest] = range_of(summary.date);
  first_ = first;
  last = std::min(last, newest);
  if (last < first_) return;
  const int64_t span = int64_t{last.days_since_epoch} - first_.days_since_epoch + 1;
  if (span > kTableDaysMax) {
    std::copy_if(summary.date.begin(), summary.date.end(), std::back_inserter(dates_),
                 [&](Day day) { return day <= last; });
    std::sort(dates_.begin(), dates_.end());
    dates_.erase(std::unique(dates_.begin(), dates_.end()), dates_.end());
    return;
  }
  position_.resize(static_cast<size_t>(span));
  for (const Day day : summary.date) {
    if (day <= last) position_[day.days_since_epoch - first_.days_since_epoch] = 1;
  }
  for (size_t i = 0; i < position_.size(); ++i) {
    if (position_[i] == 0) continue;
    position_[i] = static_cast<uint32_t>(dates_.size());
    dates_.push_back(Day{first_.days_since_epoch + static_cast<int32_t>(i)});
  }
}

size_t TradeDates::index_by_bisection(Day day) const {
  return static_cast<size_t>(std::lower_bound(dates_.begin(), dates_.end(), day) - dates_.begin());
}

Result<SymbolDays> make_symbol_days(const DailySummary& summary, const PriceSeries& prices,
                                    const PnlOptions& options) {
  TW_TRY(check_dates(summary));
  const bool compat = is_compat(options.mode);
  const Day last = compat ? Day{std::numeric_limits<int32_t>::max()} : options.as_of;
  SymbolDays days{.trade_dates = TradeDates(summary, last)};
  const std::vector<Day>& dates = days.trade_dates.dates();
  if (options.mode == Mode::kCompatV1) TW_TRY(check_null_closes(summary, prices, dates));

  const PriceSeries closes = known_closes(prices, /*zero_is_close=*/compat);
  days.start_index = static_cast<size_t>(
      std::lower_bound(dates.begin(), dates.end(), options.start) - dates.begin());
  days.day_return = day_returns(closes, dates);
  if (compat) {
    days.price = reference_prices(closes, dates);
    days.valuation_price = days.price.empty() ? 0 : days.price.back();
    return days;
  }
  days.price = carried_prices(closes, dates);
  days.valuation_price = last_close(closes, options.as_of, /*inclusive=*/true);
  // A start after the valuation day sees no more closes than the valuation does.
  days.opening_price = options.start > options.as_of
                           ? days.valuation_price
                           : last_close(closes, options.start, /*inclusive=*/false);
  return days;
}

}  // namespace tapeworks
