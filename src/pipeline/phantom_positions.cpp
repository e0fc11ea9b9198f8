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
    brokers_[is_null ? std::nullopt : std::optional(summary.brokers[broker])].add(
        last_trade[broker], net[broker] != 0);
  }
}

std::vector<PhantomPositions::Phantom> PhantomPositions::silent_for(uint32_t days) const {
  Day last = kNullDay;
  for (const auto& [broker, activity] : brokers_) last = std::max(last, activity.last_trade_date);
  std::vector<Phantom> phantoms;
  for (const auto& [broker, activity] : brokers_) {
    if (!activity.is_phantom(last, days)) continue;
    phantoms.push_back({broker, activity.last_trade_date, activity.open_positions});
  }
  return phantoms;
}

}  // namespace tapeworks
