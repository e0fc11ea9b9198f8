#pragma once

#include <string>
#include <string_view>

#include "recorder/simulator/wire_event.h"

namespace tapeworks::simulator {

// The messages of the venues, byte for byte in the forms of 2026: order of members, numbers as text
// or not, unknown additions included.

/// Binance spot and USD-M. `stream_name` wraps the payload as combined streams do; empty: bare.
std::string encode_binance(Venue venue, const WireEvent& event, std::string_view stream_name);

/// Binance spot SBE: a binary frame of the stream schema 1:0.
std::string encode_binance_sbe(const MarketEvent& event);

/// KuCoin spot and futures; `topic` is the one that was subscribed, with one symbol.
std::string encode_kucoin(Venue venue, const WireEvent& event, std::string_view topic);

/// Gate spot and futures. `quoted_sizes`: contracts as text, as X-Gate-Size-Decimal asks for.
std::string encode_gate(Venue venue, const WireEvent& event, bool quoted_sizes);

}  // namespace tapeworks::simulator
