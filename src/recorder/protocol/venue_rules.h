#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "recorder/protocol/event.h"
#include "recorder/protocol/venue.h"

namespace tapeworks::recorder {

/// Who keeps a connection alive.
enum class PingKind : uint8_t {
  kServer,        ///< the server sends WebSocket pings, and the shell answers them
  kKucoinClient,  ///< we send {"type":"ping"}
  kGateClient,    ///< we send a frame on the channel "...ping"
};

/// What connections to a venue must keep to. Where an exchange publishes several numbers, or none,
/// these are the careful ones.
struct VenueRules {
  std::string_view url;           ///< KuCoin's comes with the token
  std::string_view token_url;     ///< to POST for a token before each connection; empty: no token
  std::string_view header_name;   ///< of the request that opens the connection; empty: none
  std::string_view header_value;  ///< empty: the API key
  PingKind ping = PingKind::kServer;
  std::chrono::seconds ping_interval{0};  ///< of ours; KuCoin's reply may state another
  std::chrono::seconds pong_timeout{0};

  size_t streams_per_connection_max = 0;
  size_t symbols_per_request_max = 0;
  size_t snapshots_per_request_max = 0;  ///< of five levels, where that differs

  size_t messages_max = 0;  ///< of the client, in any message_window
  std::chrono::seconds message_window{0};
  std::chrono::milliseconds message_spacing{0};  ///< between two subscriptions

  size_t connections_max = 0;  ///< attempts of one address, in any connection_window
  std::chrono::seconds connection_window{0};
  std::chrono::hours lifetime{0};  ///< after which the server closes; 0: not stated
};

const VenueRules& rules_of(Venue venue);

/// Where Binance USD-M serves the streams of `route`: "public", "market", or "" for the address
/// before 2026. A stream that is asked for on another route is acknowledged and stays silent, and
/// reports differ on the route of trades, so the configuration decides; "public" is what was
/// measured.
std::string usdm_url(std::string_view route);

/// What the venue calls a stream: "bookTicker", "/market/ticker", "spot.book_ticker".
std::string_view channel_of(Venue venue, Stream stream);

}  // namespace tapeworks::recorder
