#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "recorder/net/web_socket.h"

/// A network and clocks that a test holds in its hand. This library defines what the headers of
/// recorder/net declare (EventLoop, Timer, WebSocketClient, HttpCall, HttpServer, read_clocks) over
/// one virtual time in one thread, without a socket; a program that links it instead of that
/// module runs the recorder and simulate-exchange as they are. What happens is a function of the
/// seed.
///
/// Kept of a real network: bytes of a connection arrive whole and in order, or not at all once it
/// is cut; what was under way then is lost; the two ends learn of it at different times; a reader
/// that pauses gets nothing, pings included. Not there: TLS, proxies, name servers, limits of
/// buffers and of messages, timeouts, compression, halves of messages, an end that never learns of
/// a cut.
namespace tapeworks::net::simulated {

struct WorldOptions {
  uint64_t seed = 0;
  int64_t begin_wall_ns = 0;  ///< what the wall clock shows at first
  /// A message takes a random time between these; the next one does not overtake it.
  std::chrono::microseconds latency_min{200};
  std::chrono::microseconds latency_max{20'000};
};

/// A new world, without connections and with its clocks at the beginning. Everything that was made
/// in the one before must be gone.
void begin_world(const WorldOptions& options);

/// Sets the wall clock forwards or back; the monotonic one goes on.
void step_wall_clock(std::chrono::nanoseconds by);

/// Cuts one connection, chosen at random; false when there is none.
bool cut_a_connection();

/// Until then nobody gets a new connection or an answer.
void refuse_connections_for(std::chrono::nanoseconds duration);

/// Told of each message when it is handed to a client, just before, and of the number that the
/// connection has at its server. Empty: nobody.
void tap_clients(std::function<void(const ReceivedFrame& frame, uint64_t connection)> tap);

}  // namespace tapeworks::net::simulated
