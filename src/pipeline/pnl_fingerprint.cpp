#include "pipeline/pnl_fingerprint.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <string_view>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "pipeline/symbol_days.h"

namespace tapeworks {
namespace {

/// What a row says, as bytes without holes.
struct RowBytes {
  int32_t date = 0;
  int32_t buy_shares = 0;
  int32_t sell_shares = 0;
  int32_t none = 0;
  uint64_t buy_amount = 0;
  uint64_t sell_amount = 0;
};
static_assert(sizeof(RowBytes) == 32);

uint64_t row_hash(const DailySummary& summary, size_t row, uint64_t broker_hash) {
  const RowBytes bytes{.date = summary.date[row].days_since_epoch,
                       .buy_shares = summary.buy_shares[row],
                       .sell_shares = summary.sell_shares[row],
                       .none = 0,
                       .buy_amount = std::bit_cast<uint64_t>(summary.buy_amount[row]),
                       .sell_amount = std::bit_cast<uint64_t>(summary.sell_amount[row])};
  return XXH3_64bits_withSeed(&bytes, sizeof bytes, broker_hash);
}

struct DayRows {
  uint64_t sum_of_hashes = 0;
  uint64_t row_count = 0;
};

}  // namespace

uint64_t closes_fingerprint(const PriceSeries& prices, Day last) {
  const auto end = std::upper_bound(prices.date.begin(), prices.date.end(), last);
  const auto count = static_cast<size_t>(end - prices.date.begin());
  const uint64_t dates = XXH3_64bits(prices.date.data(), count * sizeof(Day));
  return XXH3_64bits_withSeed(prices.close.data(), count * sizeof(double), dates);
}

StateFingerprints::StateFingerprints(const DailySummary& summary, const PriceSeries& prices,
                                     const PnlOptions& options)
    : prices_(prices), start_(options.start) {
  const TradeDates trade_dates(summary, Day{std::numeric_limits<int32_t>::max()});
  dates_ = trade_dates.dates();
  std::vector<DayRows> days(dates_.size());
  uint64_t broker_hash = 0;
  for (size_t row = 0; row < summary.row_count(); ++row) {
    const uint32_t broker = summary.broker_index[row];
    if (row == 0 || broker != summary.broker_index[row - 1]) {
      const std::string_view text = summary.brokers[broker];
      broker_hash = XXH3_64bits(text.data(), text.size());
    }
    DayRows& day = days[trade_dates.index_of(summary.date[row])];
    day.sum_of_hashes += row_hash(summary, row, broker_hash);
    ++day.row_count;
  }
  rows_up_to_.reserve(days.size());
  uint64_t hash = kPnlRulesVersion;
  for (size_t i = 0; i < days.size(); ++i) {
    hash = XXH3_64bits_withSeed(&days[i], sizeof days[i], hash);
    rows_up_to_.push_back(hash);
  }
}

uint64_t StateFingerprints::up_to(Day day) const {
  const auto end = std::upper_bound(dates_.begin(), dates_.end(), day);
  const uint64_t parts[] = {
      end == dates_.begin() ? kPnlRulesVersion
                            : rows_up_to_[static_cast<size_t>(end - dates_.begin()) - 1],
      closes_fingerprint(prices_, day), static_cast<uint64_t>(int64_t{start_.days_since_epoch})};
  return XXH3_64bits(parts, sizeof parts);
}

}  // namespace tapeworks
