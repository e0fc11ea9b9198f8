#include "pipeline/phantom_positions.h"

#include <algorithm>
#include <cstddef>

#include "pipeline/summary_rules_internal.h"

namespace tapeworks {

void PhantomPositions::add(const DailySummary& summary, Day until) {
  const std::vector<int64_t> net = net_shares(summary, until);
  std::vector<Day> last_trade(summary.brokers.size(), kNullDay);
  for (size_t row = 0; row < summary.row_count(); ++row) {
    Day& last = last_trade[summary.broker_index[row]];
    if (summary.date[row] <= until) last = std::max(last, summary.date[row]);
  }
  const std::scoped_lock lock(mutex_);
  for (uint32_t broker = 0; broker < summary.brokers.size(); ++broker) {
    const bool is_null = summary.has_null_broker && broker == 0;
    Position& position = brokers_[is_null ? std::nullopt : std::optional(summary.brokers[broker])];
    position.last_trade = std::max(position.last_trade, last_trade[broker]);
    position.open_symbols += net[broker] != 0 ? 1 : 0;
  }
}

std::vector<PhantomPositions::Phantom> PhantomPositions::silent_for(uint32_t days) const {
  Day last = kNullDay;
  for (const auto& [broker, position] : brokers_) last = std::max(last, position.last_trade);
  std::vector<Phantom> phantoms;
  for (const auto& [broker, position] : brokers_) {
    const int64_t silent_days =
        int64_t{last.days_since_epoch} - position.last_trade.days_since_epoch;
    if (position.open_symbols == 0 || silent_days < int64_t{days}) continue;
    phantoms.push_back({broker, position.last_trade, position.open_symbols});
  }
  return phantoms;
}

}  // namespace tapeworks
