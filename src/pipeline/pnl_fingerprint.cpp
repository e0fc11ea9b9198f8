#include "pipeline/pnl_fingerprint.h"

#include <algorithm>
#include <cassert>
#include <string_view>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace tapeworks {
namespace {

/// A row of an account as it is hashed.
struct HashedRow {
  Day date;
  int32_t buy_shares = 0;
  int32_t sell_shares = 0;
  uint32_t index = 0;  ///< in its account; stands where padding would be
  double buy_amount = 0;
  double sell_amount = 0;
};
static_assert(sizeof(Day) == 4 && sizeof(HashedRow) == 32, "padding would be hashed as well");

uint64_t hash_row(const DailySummary& summary, size_t row, size_t index) {
  const HashedRow hashed{.date = summary.date[row],
                         .buy_shares = summary.buy_shares[row],
                         .sell_shares = summary.sell_shares[row],
                         .index = static_cast<uint32_t>(index),
                         .buy_amount = summary.buy_amount[row],
                         .sell_amount = summary.sell_amount[row]};
  return XXH3_64bits(&hashed, sizeof hashed);
}

uint64_t hash_text(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

}  // namespace

uint64_t closes_fingerprint(const PriceSeries& prices, Day last) {
  const auto end = std::upper_bound(prices.date.begin(), prices.date.end(), last);
  const auto count = static_cast<size_t>(end - prices.date.begin());
  const uint64_t dates = XXH3_64bits(prices.date.data(), count * sizeof(Day));
  return XXH3_64bits_withSeed(prices.close.data(), count * sizeof(double), dates);
}

StateFingerprints::StateFingerprints(const DailySummary& summary, const PriceSeries& prices,
                                     const PnlOptions& options, std::vector<Day> days)
    : prices_(prices), start_(options.start), days_(std::move(days)) {
  std::ranges::sort(days_);
  days_.erase(std::ranges::unique(days_).begin(), days_.end());
  rows_up_to_.assign(days_.size(), kPnlRulesVersion);
  for (size_t begin = 0; begin < summary.row_count();) {
    const size_t end = summary.end_of_broker(begin);
    const uint64_t broker = hash_text(summary.brokers[summary.broker_index[begin]]);
    size_t row = begin;
    uint64_t sum = 0;
    for (size_t i = 0; i < days_.size(); ++i) {
      for (; row < end && summary.date[row] <= days_[i]; ++row) {
        sum += hash_row(summary, row, row - begin);
      }
      if (row == begin) continue;
      const uint64_t account[] = {broker, row - begin, sum};
      rows_up_to_[i] = XXH3_64bits_withSeed(account, sizeof account, rows_up_to_[i]);
    }
    begin = end;
  }
}

uint64_t StateFingerprints::up_to(Day day) const {
  const auto found = std::ranges::lower_bound(days_, day);
  assert(found != days_.end() && *found == day);
  const uint64_t parts[] = {rows_up_to_[static_cast<size_t>(found - days_.begin())],
                            closes_fingerprint(prices_, day),
                            static_cast<uint64_t>(int64_t{start_.days_since_epoch})};
  return XXH3_64bits(parts, sizeof parts);
}

}  // namespace tapeworks
