#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "recorder/net/connect_options.h"
#include "recorder/net/web_socket.h"

namespace tapeworks::net {

/// What happens on a connection. A callback may call anything of the client, also destroy it.
class WebSocketHandler {
 public:
  virtual ~WebSocketHandler() = default;

  /// The upgrade was accepted; frames may come from now on.
  virtual void on_open() {}
  virtual void on_frame(const ReceivedFrame& frame) = 0;
  /// A ping of the server. It is answered with its payload; whoever has a budget counts the answer.
  virtual void on_ping(std::string_view payload, ClockReading time) {
    static_cast<void>(payload), static_cast<void>(time);
  }
  virtual void on_pong(std::string_view payload, ClockReading time) {
    static_cast<void>(payload), static_cast<void>(time);
  }
  /// The last callback, exactly once, unless the client was destroyed before.
  virtual void on_closed(const CloseReport& report) = 0;
};

/// One WebSocket connection, from the look-up of its name to its end. It never reconnects.
///
/// Ownership: refers to loop and handler, which outlive it. Destruction drops the connection
/// without a close frame and without a callback. Failure: everything that goes wrong comes as
/// on_closed() with a sentence; certificates that have expired, are self-signed, for another host
/// or from an unknown authority have each their own. Memory: about message_bytes_max +
/// send_queue_bytes_max of the limits at most. Threads: that of the loop.
class WebSocketClient {
 public:
  /// Begins to connect; nothing is called back before the loop runs.
  WebSocketClient(EventLoop& loop, ConnectOptions options, WebSocketLimits limits,
                  WebSocketHandler& handler);
  ~WebSocketClient();

  /// Queues a message. kMemoryBudget when the queue is full, kInvalidArgument before on_open() and
  /// after a close.
  Status send(Opcode opcode, std::string payload);
  Status send_ping(std::string payload);

  /// Sends what is queued, then a close frame, and waits for the answer. Before on_open() it does
  /// nothing: destroy the client to give up.
  void close(uint16_t code, std::string reason);

  /// While paused nothing is delivered and, beyond the message at hand, nothing read: the peer
  /// feels it through TCP. Pings are not answered either, and exchanges cut who stays silent.
  void pause_reading();
  void resume_reading();

  size_t queued_bytes() const;

 private:
  class Session;
  std::shared_ptr<Session> session_;
};

}  // namespace tapeworks::net
