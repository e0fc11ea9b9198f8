#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "recorder/simulator/market.h"

namespace tapeworks::simulator {

/// Where a venue gives out past trades, and how often it may be asked by its published limits.
struct TradeListRules {
  std::string_view path;
  size_t rows_max;  ///< of an answer
  size_t requests_max;
  std::chrono::seconds window;
};
const TradeListRules& trade_list_rules(Venue venue);

/// What a script of faults makes of an answer.
enum class TradeListAnswer : uint8_t { kWhole, kEmpty, kSecondHalf };

/// The answer to a request for past trades, in the venue's form and order, by the parameters of
/// `target`; nothing for a symbol that is not listed.
std::optional<std::string> trade_list(Venue venue, const Market& market, std::string_view target,
                                      bool in_microseconds, TradeListAnswer answer);

}  // namespace tapeworks::simulator
