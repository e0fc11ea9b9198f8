#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "recorder/net/byte_stream_internal.h"
#include "recorder/net/connect_options.h"
#include "recorder/net/web_socket.h"

namespace tapeworks::net {

namespace http = beast::http;

/// Receiver of what happens on a WebSocketChannel.
class ChannelEvents {
 public:
  virtual ~ChannelEvents() = default;
  virtual void on_frame(const ReceivedFrame& frame) = 0;
  virtual void on_ping(std::string_view payload, ClockReading time) = 0;
  virtual void on_pong(std::string_view payload, ClockReading time) = 0;
  /// The message queued with this tag was handed to the system whole.
  virtual void on_sent(uint64_t tag, ClockReading time) = 0;
};

/// An established WebSocket of either role: reads, writes its queue, watches for silence.
///
/// Ownership: shared between its owner and the coroutines in it. `events` is used until detach().
class WebSocketChannel : public std::enable_shared_from_this<WebSocketChannel> {
 public:
  /// A client's, not connected yet.
  WebSocketChannel(EventLoop& loop, const WebSocketLimits& limits, ChannelEvents& events);
  /// A server's, accepted.
  WebSocketChannel(EventLoop& loop, ByteStream&& stream, const WebSocketLimits& limits,
                   ChannelEvents& events);

  ByteStream& stream() { return socket_.next_layer(); }

  /// The upgrade, as client and as server. `http_status` is set when the answer was no upgrade.
  awaitable<error_code> upgrade(const std::string& host, const std::string& target,
                                const std::vector<Header>& headers,
                                std::optional<int>& http_status);
  awaitable<error_code> accept(const http::request<http::string_body>& request);

  /// Reads until the connection has ended, and says why.
  awaitable<CloseReport> run();

  Status send(Opcode opcode, std::string payload, uint64_t tag);
  Status send_ping(std::string payload);
  /// Writes bytes that need not be a frame, in their turn.
  Status send_raw(std::string bytes);
  void close(uint16_t code, std::string reason);
  /// Closes the socket once the queue is written, without a close frame.
  void abort_after_queue();
  /// Closes the socket now. The report of run() will have `cause`.
  void abort(CloseCause cause, std::string message);

  void pause_reading();
  void resume_reading();
  void detach() { events_ = nullptr; }
  size_t queued_bytes() const { return queued_bytes_; }

 private:
  enum class Kind : uint8_t { kText, kBinary, kPing, kRaw, kClose, kAbort };
  struct Item {
    Kind kind;
    std::string payload;
    uint64_t tag = 0;
    uint16_t code = 0;
  };

  void configure();
  void on_control(beast::websocket::frame_type kind, beast::string_view payload);
  Status enqueue(Item item);
  awaitable<void> write_queue();
  awaitable<error_code> write_item(Item& item);
  awaitable<void> wait_while_paused();
  void watch_silence();
  void bound_goodbye(std::chrono::milliseconds allowed);
  void end_goodbye();
  CloseReport report_of(const error_code& error);

  EventLoop& loop_;
  WebSocketLimits limits_;
  ChannelEvents* events_;
  beast::websocket::stream<ByteStream> socket_;
  beast::flat_buffer buffer_;
  std::deque<Item> queue_;
  size_t queued_bytes_ = 0;
  bool writing_ = false;
  bool open_ = false;
  bool closing_ = false;
  bool peer_closes_ = false;  // its close frame has come
  bool paused_ = false;
  asio::steady_timer resumed_;
  Timer silence_;
  asio::steady_timer goodbye_;
  asio::cancellation_signal reading_;
  asio::cancellation_signal saying_goodbye_;
  int64_t received_ns_ = 0;  // monotonic
  std::optional<CloseReport> verdict_;
};

}  // namespace tapeworks::net
