#include "pipeline/pnl_fingerprint.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <string_view>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/hot_loop.h"
#include "base/random.h"

namespace tapeworks {
namespace {

// Odd, and no sum or difference of two of them is a multiple of more than 2^7: the same change of
// two columns does not cancel. Source: the primes of XXH64.
constexpr uint64_t kDateFactor = 0x9e3779b185ebca87;
constexpr uint64_t kSharesFactor = 0xc2b2ae3d27d4eb4f;
constexpr uint64_t kBuyFactor = 0x165667b19e3779f9;
constexpr uint64_t kSellFactor = 0x85ebca77c2b2ae63;

/// Most amounts have zeros in their low half, and a product never moves bits down: so the high half
/// is folded into the low one first. One-to-one, as mix_bits() is, so a change of one column always
/// changes the hash of its row.
constexpr uint64_t spread(uint64_t number, uint64_t factor) {
  return (number ^ (number >> 32)) * factor;
}

/// The sum of the hashes of the rows [begin, end) of one account, whose dates differ. Four rows at
/// a time, where the machine can.
TW_HOT_LOOP uint64_t sum_of_hashes(const DailySummary& summary, size_t begin, size_t end) {
  const Day* const date = summary.date.data();
  const int32_t* const buy_shares = summary.buy_shares.data();
  const int32_t* const sell_shares = summary.sell_shares.data();
  const double* const buy_amount = summary.buy_amount.data();
  const double* const sell_amount = summary.sell_amount.data();
  uint64_t sum = 0;
  for (size_t row = begin; row < end; ++row) {
    const uint64_t day = static_cast<uint32_t>(date[row].days_since_epoch);
    const uint64_t shares = uint64_t{static_cast<uint32_t>(buy_shares[row])} |
                            uint64_t{static_cast<uint32_t>(sell_shares[row])} << 32;
    sum += mix_bits(spread(day, kDateFactor) + spread(shares, kSharesFactor) +
                    spread(std::bit_cast<uint64_t>(buy_amount[row]), kBuyFactor) +
                    spread(std::bit_cast<uint64_t>(sell_amount[row]), kSellFactor));
  }
  return sum;
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
      const size_t first = row;
      while (row < end && summary.date[row] <= days_[i]) ++row;
      sum += sum_of_hashes(summary, first, row);
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
