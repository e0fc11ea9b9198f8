#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "recorder/simulator/market.h"

namespace tapeworks::simulator {

/// The venue's public list of symbols in its own form, when `path` is where the venue has it:
/// names, status, steps of price and quantity, contract sizes.
std::optional<std::string> instrument_list(Venue venue, const Market& market, std::string_view path,
                                           int64_t now_ns);

/// Likewise what was traded of each symbol in the last 24 hours. The first symbol is traded most,
/// each one less than that before it, and one that is not listed not at all.
std::optional<std::string> volume_list(Venue venue, const Market& market, std::string_view path,
                                       int64_t now_ns);

}  // namespace tapeworks::simulator
