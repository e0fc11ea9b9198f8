#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "recorder/net/event_loop.h"

namespace tapeworks::net {

/// Of a WebSocket message.
enum class Opcode : uint8_t { kText, kBinary };

/// A message as received, whole and inflated. The clocks were read right after its last byte was.
struct ReceivedFrame {
  std::string_view payload;  ///< valid during the callback
  Opcode opcode = Opcode::kText;
  ClockReading time;
};

/// The limits of one connection.
struct WebSocketLimits {
  /// Of one received message after inflation. A longer one closes the connection, with no more than
  /// this in memory.
  size_t message_bytes_max = size_t{8} << 20;
  /// Of what send() has taken and the network has not.
  size_t send_queue_bytes_max = size_t{1} << 20;
  /// Nothing received for so long, pings included, closes the connection; 0 waits for ever. Does
  /// not count while reading is paused.
  std::chrono::milliseconds idle_timeout{60'000};
  /// How long the peer may take to answer a close.
  std::chrono::milliseconds close_timeout{5'000};
  /// Offer (client) or accept (server) permessage-deflate.
  bool deflate = false;
};

/// Why a connection is no more.
enum class CloseCause : uint8_t {
  kNotOpened,  ///< connecting failed or was refused
  kClosedByPeer,
  kClosedByUs,
  kLost,      ///< ended without a close frame
  kIdle,      ///< nothing was received for idle_timeout
  kTooLarge,  ///< a message was longer than message_bytes_max
  kProtocol,  ///< the peer broke the rules of WebSocket
};

struct CloseReport {
  CloseCause cause = CloseCause::kLost;
  uint16_t code = 0;                 ///< of the close frame; 0 without one
  std::string reason;                ///< of the close frame, as sent
  std::optional<int> http_status{};  ///< kNotOpened: the answer that was no upgrade
  std::string message;               ///< one sentence for a person
};

}  // namespace tapeworks::net
