#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "recorder/protocol/event.h"
#include "recorder/protocol/venue.h"

namespace tapeworks::recorder {

/// A stream of a symbol.
struct StreamKey {
  Stream stream = Stream::kBook;
  std::string symbol;  ///< in its REST spelling

  auto operator<=>(const StreamKey&) const = default;
};

/// How many symbols a connection takes, with so many streams each.
size_t symbols_per_connection(Venue venue, size_t stream_count);

/// Spreads the streams of `symbols` over as few connections as the venue's limit allows, evenly;
/// all streams of a symbol share one. Symbols stay in their order.
std::vector<std::vector<StreamKey>> plan_connections(Venue venue,
                                                     std::span<const std::string> symbols,
                                                     std::span<const Stream> streams);

/// Streams that one frame asks for: all of one kind, except with Binance.
struct SubscriptionBatch {
  std::vector<size_t> keys;  ///< places in the list that was batched
};

/// Packs `keys[which]` into as few frames as the venue's limits allow.
std::vector<SubscriptionBatch> batch_subscriptions(Venue venue, std::span<const StreamKey> keys,
                                                   std::span<const size_t> which);

/// The text of the frame for one batch; `id` comes back in the reply. `wall_seconds` is since 1970.
std::string subscription_text(Venue venue, std::span<const StreamKey> keys,
                              const SubscriptionBatch& batch, uint64_t id, int64_t wall_seconds);

/// The frame by which a client keeps its connection to KuCoin or Gate alive.
std::string ping_text(Venue venue, uint64_t id, int64_t wall_seconds);

}  // namespace tapeworks::recorder
