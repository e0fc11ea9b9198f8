#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/calendar_day.h"
#include "pipeline/broker_activity.h"
#include "pipeline/daily_summary.h"

namespace tapeworks {

/// Finds positions that nobody can close any more: open lots of brokers that no longer trade, in
/// any symbol. They are what a merger leaves behind when the map of mergers does not know it.
/// Threads: add() from any, once per symbol; the rest from one, after the last add().
class PhantomPositions {
 public:
  /// What one silent broker left behind.
  struct Phantom {
    std::optional<std::string> broker;  ///< nothing: the null broker
    Day last_trade;                     ///< in any symbol
    uint64_t open_symbols = 0;          ///< in which it has bought more than sold, or less
  };

  /// Looks at the trades up to and including `until`.
  void add(const DailySummary& summary, Day until);

  /// Brokers with open lots and without a trade in the last `days` calendar days before the last
  /// trade of anybody; by broker.
  std::vector<Phantom> silent_for(uint32_t days) const;

  using Brokers = std::map<std::optional<std::string>, BrokerActivity>;
  const Brokers& brokers() const { return brokers_; }

 private:
  mutable std::mutex mutex_;
  Brokers brokers_;  // guarded by mutex_ while threads add
};

}  // namespace tapeworks
