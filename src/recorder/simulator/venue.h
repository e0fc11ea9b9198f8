#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tapeworks::simulator {

// The simulator shares no code with the recorder's decoders: it is their judge, and a common
// mistake would be invisible.

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

enum class Stream : uint8_t { kBook, kL5, kTrade };
inline constexpr size_t kStreamCount = 3;

constexpr std::string_view name_of(Stream stream) {
  constexpr std::array<std::string_view, kStreamCount> kNames{"book", "l5", "trade"};
  return kNames[static_cast<size_t>(stream)];
}

/// Which times and numbers a stream's messages carry.
struct StreamFacts {
  bool event_time = true;
  bool exchange_time = true;
  bool sequence = true;
};

/// What tells the venues apart besides their messages.
struct VenueFacts {
  std::string_view name;  ///< in scripts and ledgers
  std::string_view exchange;
  std::string_view market;
  std::string_view transport;
  std::string_view path;  ///< of the WebSocket, for the configuration of a recorder
  std::string_view quantity_unit;
  int64_t time_unit_ns;  ///< of event times, which are cut to it
  std::array<StreamFacts, kStreamCount> streams;
};

const VenueFacts& facts_of(Venue venue);
std::optional<Venue> find_venue(std::string_view name);

}  // namespace tapeworks::simulator
