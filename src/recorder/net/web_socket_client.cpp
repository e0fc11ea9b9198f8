#include "recorder/net/web_socket_client.h"

#include <utility>

#include "recorder/net/connect_internal.h"
#include "recorder/net/web_socket_channel_internal.h"

namespace tapeworks::net {

/// Connects, then lives as long as the channel. The coroutine keeps it alive after its client has
/// gone, which it notices by the missing handler.
class WebSocketClient::Session : public ChannelEvents,
                                 public std::enable_shared_from_this<Session> {
 public:
  Session(EventLoop& loop, ConnectOptions options, const WebSocketLimits& limits,
          WebSocketHandler& handler)
      : options_(std::move(options)),
        handler_(&handler),
        channel_(std::make_shared<WebSocketChannel>(loop, limits, *this)),
        attempt_(loop, channel_->stream(), options_,
                 [this](const Error& error) { report_not_opened(error); }) {}

  void start(EventLoop& loop) {
    asio::co_spawn(loop.impl().context, live(), rethrow_and_release(shared_from_this()));
  }

  /// The client has gone: end without another word.
  void abandon() {
    handler_ = nullptr;
    channel_->detach();
    attempt_.end_step();
    attempt_.cancel();
    channel_->abort(CloseCause::kClosedByUs, "abandoned");
  }

  WebSocketChannel& channel() { return *channel_; }

 private:
  awaitable<void> live() {
    if (Status opened = co_await open(); !opened) {
      report_not_opened(opened.error());
      co_return;
    }
    if (handler_ != nullptr) handler_->on_open();
    const CloseReport report = co_await channel_->run();
    if (handler_ != nullptr) std::exchange(handler_, nullptr)->on_closed(report);
  }

  awaitable<Status> open() {
    if (Status connected = co_await attempt_.run(); !connected) co_return connected;
    const Endpoint& endpoint = options_.endpoint;
    attempt_.begin_step("to accept the WebSocket", options_.timeouts.handshake);
    const error_code error = co_await channel_->upgrade(host_and_port(endpoint), endpoint.target,
                                                        options_.headers, http_status_);
    attempt_.end_step();
    if (!error) co_return Status{};
    if (http_status_) {
      co_return attempt_.failure(io_error("{} refused the WebSocket with HTTP status {}",
                                          host_and_port(endpoint), *http_status_)
                                     .error());
    }
    co_return attempt_.failure(io_error("{} did not accept a WebSocket: {}; check address and port",
                                        host_and_port(endpoint), error.message())
                                   .error());
  }

  void report_not_opened(const Error& error) {
    if (handler_ == nullptr) return;
    std::exchange(handler_, nullptr)
        ->on_closed({CloseCause::kNotOpened, 0, {}, http_status_, error.message});
  }

  void on_frame(const ReceivedFrame& frame) override {
    if (handler_ != nullptr) handler_->on_frame(frame);
  }
  void on_ping(std::string_view payload, ClockReading time) override {
    if (handler_ != nullptr) handler_->on_ping(payload, time);
  }
  void on_pong(std::string_view payload, ClockReading time) override {
    if (handler_ != nullptr) handler_->on_pong(payload, time);
  }
  void on_sent(uint64_t, ClockReading) override {}

  const ConnectOptions options_;
  WebSocketHandler* handler_;
  std::shared_ptr<WebSocketChannel> channel_;
  ConnectAttempt attempt_;
  std::optional<int> http_status_;
};

WebSocketClient::WebSocketClient(EventLoop& loop, ConnectOptions options, WebSocketLimits limits,
                                 WebSocketHandler& handler)
    : session_(std::make_shared<Session>(loop, std::move(options), limits, handler)) {
  session_->start(loop);
}

WebSocketClient::~WebSocketClient() { session_->abandon(); }

Status WebSocketClient::send(Opcode opcode, std::string payload) {
  return session_->channel().send(opcode, std::move(payload), 0);
}

Status WebSocketClient::send_ping(std::string payload) {
  return session_->channel().send_ping(std::move(payload));
}

void WebSocketClient::close(uint16_t code, std::string reason) {
  session_->channel().close(code, std::move(reason));
}

void WebSocketClient::pause_reading() { session_->channel().pause_reading(); }

void WebSocketClient::resume_reading() { session_->channel().resume_reading(); }

size_t WebSocketClient::queued_bytes() const { return session_->channel().queued_bytes(); }

}  // namespace tapeworks::net
