#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tapeworks::recorder {

/// A protocol that a connection speaks: an exchange's market, over one transport.
enum class Venue : uint8_t {
  kBinanceSpot,
  kBinanceSpotSbe,
  kBinanceUsdm,
  kKucoinSpot,
  kKucoinFutures,
  kGateSpot,
  kGateFutures,
};

inline constexpr std::array kVenues{
    Venue::kBinanceSpot,   Venue::kBinanceSpotSbe, Venue::kBinanceUsdm, Venue::kKucoinSpot,
    Venue::kKucoinFutures, Venue::kGateSpot,       Venue::kGateFutures};

/// How a venue is named in configurations, paths and columns.
struct VenueName {
  std::string_view exchange;
  std::string_view market;     ///< "spot" or "usdt_futures"
  std::string_view transport;  ///< "json" or "sbe"
};

constexpr VenueName name_of(Venue venue) {
  switch (venue) {
    case Venue::kBinanceSpot:
      return {"binance", "spot", "json"};
    case Venue::kBinanceSpotSbe:
      return {"binance", "spot", "sbe"};
    case Venue::kBinanceUsdm:
      return {"binance", "usdt_futures", "json"};
    case Venue::kKucoinSpot:
      return {"kucoin", "spot", "json"};
    case Venue::kKucoinFutures:
      return {"kucoin", "usdt_futures", "json"};
    case Venue::kGateSpot:
      return {"gate", "spot", "json"};
    case Venue::kGateFutures:
      return {"gate", "usdt_futures", "json"};
  }
  return {};
}

/// The venue of these names; "futures" is an alias of "usdt_futures".
constexpr std::optional<Venue> find_venue(std::string_view exchange, std::string_view market,
                                          std::string_view transport) {
  if (market == "futures") market = "usdt_futures";
  for (const Venue venue : kVenues) {
    const VenueName name = name_of(venue);
    if (name.exchange == exchange && name.market == market && name.transport == transport) {
      return venue;
    }
  }
  return std::nullopt;
}

}  // namespace tapeworks::recorder
