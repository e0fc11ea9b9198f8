#include "recorder/simulator/venue.h"

namespace tapeworks::simulator {
namespace {

constexpr int64_t kMicrosecondNs = 1'000;
constexpr int64_t kMillisecondNs = 1'000'000;

constexpr StreamFacts kNoTimes{false, false, true};
constexpr StreamFacts kExchangeTimeOnly{false, true, true};
constexpr StreamFacts kEventTimeOnly{true, false, true};
constexpr StreamFacts kNoSequence{true, false, false};
constexpr StreamFacts kAll{true, true, true};

constexpr std::array<VenueFacts, kVenues.size()> kFacts{
    VenueFacts{"binance_spot",
               "binance",
               "spot",
               "json",
               "/stream",
               "base",
               kMillisecondNs,
               {kNoTimes, kNoTimes, kAll}},
    VenueFacts{"binance_spot_sbe",
               "binance",
               "spot",
               "sbe",
               "/ws",
               "base",
               kMicrosecondNs,
               {kExchangeTimeOnly, kExchangeTimeOnly, kAll}},
    VenueFacts{"binance_usdm",
               "binance",
               "usdt_futures",
               "json",
               "/public/stream",
               "base",
               kMillisecondNs,
               {kAll, kAll, kAll}},
    VenueFacts{"kucoin_spot",
               "kucoin",
               "spot",
               "json",
               "/",
               "base",
               kMillisecondNs,
               {kEventTimeOnly, kNoSequence, kEventTimeOnly}},
    VenueFacts{"kucoin_futures",
               "kucoin",
               "usdt_futures",
               "json",
               "/",
               "contract",
               kMillisecondNs,
               {kEventTimeOnly, kEventTimeOnly, kEventTimeOnly}},
    VenueFacts{
        "gate_spot", "gate", "spot", "json", "/ws/v4/", "base", kMillisecondNs, {kAll, kAll, kAll}},
    VenueFacts{"gate_futures",
               "gate",
               "usdt_futures",
               "json",
               "/v4/ws/usdt",
               "contract",
               kMillisecondNs,
               {kAll, kAll, kAll}},
};

}  // namespace

const VenueFacts& facts_of(Venue venue) { return kFacts[static_cast<size_t>(venue)]; }

std::optional<Venue> find_venue(std::string_view name) {
  for (const Venue venue : kVenues) {
    if (facts_of(venue).name == name) return venue;
  }
  return std::nullopt;
}

}  // namespace tapeworks::simulator
