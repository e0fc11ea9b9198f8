#include "pipeline/pnl_fingerprint.h"

#include <algorithm>
#include <cassert>
#include <span>
#include <string_view>
#include <utility>

// Every column of every account is hashed, so the widest vectors that the machine has are worth it.
#if defined(TAPEWORKS_XXH_DISPATCH)
#include <xxh_x86dispatch.h>
#else
#define XXH_INLINE_ALL
#include <xxhash.h>
#endif

namespace tapeworks {
namespace {

template <typename Value>
uint64_t hash_values(std::span<const Value> values, uint64_t seed) {
  return XXH3_64bits_withSeed(values.data(), values.size_bytes(), seed);
}

/// `seed` with the rows [begin, end).
uint64_t hash_rows(const DailySummary& summary, size_t begin, size_t end, uint64_t seed) {
  const auto part = [&]<typename Value>(const std::vector<Value>& values) {
    return std::span(values).subspan(begin, end - begin);
  };
  seed = hash_values(part(summary.date), seed);
  seed = hash_values(part(summary.buy_shares), seed);
  seed = hash_values(part(summary.sell_shares), seed);
  seed = hash_values(part(summary.buy_amount), seed);
  return hash_values(part(summary.sell_amount), seed);
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
    const auto dates = std::span(summary.date).subspan(begin, end - begin);
    const uint64_t broker_hash = hash_text(summary.brokers[summary.broker_index[begin]]);
    for (size_t i = 0; i < days_.size(); ++i) {
      const auto after = std::ranges::upper_bound(dates, days_[i]);
      if (after == dates.begin()) continue;
      const size_t day_end = begin + static_cast<size_t>(after - dates.begin());
      const uint64_t rows = hash_rows(summary, begin, day_end, broker_hash);
      rows_up_to_[i] = XXH3_64bits_withSeed(&rows, sizeof rows, rows_up_to_[i]);
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
