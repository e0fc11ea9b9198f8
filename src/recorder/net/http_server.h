#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "recorder/net/connect_options.h"
#include "recorder/net/web_socket.h"

namespace tapeworks::net {

struct HttpRequest {
  std::string method;
  std::string target;
  std::vector<Header> headers;
  std::string body;

  /// The value of a header whatever the case of its name; empty when there is none.
  std::string_view header(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string body{};
  std::string content_type = "application/json";
  std::vector<Header> headers{};
  std::chrono::milliseconds delay{};  ///< before it is sent
};

/// What to do with a request for a WebSocket: `refusal` has a status other than 101 to refuse it.
struct UpgradeDecision {
  HttpResponse refusal{101};
  bool deflate = false;  ///< accept permessage-deflate, if it is offered
};

/// One accepted WebSocket, valid from on_open() to the end of on_closed().
class ServerConnection {
 public:
  /// Numbers the connections of a server from 1 on, in the order of acceptance.
  virtual uint64_t id() const = 0;

  /// Queues a message. Once it was handed to the system whole, on_sent() has its `tag`, unless that
  /// is 0. kMemoryBudget when the peer reads too slowly, kInvalidArgument after a close.
  virtual Status send(Opcode opcode, std::string payload, uint64_t tag) = 0;
  virtual Status send_ping(std::string payload) = 0;
  /// Writes bytes in their turn that need not be a frame.
  virtual Status send_raw(std::string bytes) = 0;

  /// After what is queued: a close frame; or the end without one.
  virtual void close(uint16_t code, std::string reason) = 0;
  virtual void abort_after_queue() = 0;
  /// At once, whatever is queued.
  virtual void abort() = 0;

  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
  virtual size_t queued_bytes() const = 0;

 protected:
  ~ServerConnection() = default;
};

class ServerHandler {
 public:
  virtual ~ServerHandler() = default;

  virtual HttpResponse on_request(const HttpRequest& request) = 0;
  virtual UpgradeDecision on_upgrade(const HttpRequest& request);
  virtual void on_open(ServerConnection& connection, const HttpRequest& request);
  virtual void on_frame(ServerConnection& connection, const ReceivedFrame& frame);
  virtual void on_ping(ServerConnection& connection, std::string_view payload, ClockReading time);
  virtual void on_pong(ServerConnection& connection, std::string_view payload, ClockReading time);
  virtual void on_sent(ServerConnection& connection, uint64_t tag, ClockReading time);
  virtual void on_closed(ServerConnection& connection, const CloseReport& report);
};

struct ServerOptions {
  ListenAddress listen;
  std::filesystem::path tls_cert_file;  ///< PEM chain; empty means no TLS
  std::filesystem::path tls_key_file;
  size_t connections_max = 1024;  ///< more are closed at once
  uint32_t header_bytes_max = 16 * 1024;
  size_t body_bytes_max = 64 * 1024;
  std::chrono::milliseconds request_timeout{10'000};  ///< for TLS and for each request
  WebSocketLimits web_socket;                         ///< its `deflate` does not count
};

/// Serves HTTP/1.1 and WebSocket on one port, with TLS or without.
///
/// Ownership: refers to loop and handler, which outlive it. Destruction drops all connections
/// without a callback. Failure: listen() fails with kIo when the port is taken. Clients cannot make
/// it fail: what they send wrong ends their own connection. Threads: that of the loop.
class HttpServer {
 public:
  static Result<std::unique_ptr<HttpServer>> listen(EventLoop& loop, ServerOptions options,
                                                    ServerHandler& handler);
  ~HttpServer();

  uint16_t port() const;
  /// Takes no further connections; those that are there stay.
  void stop_accepting();

 private:
  class State;
  explicit HttpServer(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace tapeworks::net
