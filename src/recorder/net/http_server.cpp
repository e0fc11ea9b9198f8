#include "recorder/net/http_server.h"

#include <algorithm>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <utility>

#include "recorder/net/tls_internal.h"
#include "recorder/net/web_socket_channel_internal.h"

namespace tapeworks::net {
namespace {

constexpr int kHttp11 = 11;
constexpr std::chrono::milliseconds kAcceptPause{100};

HttpRequest take_request(const http::request<http::string_body>& request) {
  HttpRequest taken{
      std::string(request.method_string()), std::string(request.target()), {}, request.body()};
  for (const auto& field : request.base()) {
    taken.headers.push_back({std::string(field.name_string()), std::string(field.value())});
  }
  return taken;
}

/// An accepted socket: requests, and after an upgrade a WebSocket.
class Connection : public ServerConnection,
                   public ChannelEvents,
                   public std::enable_shared_from_this<Connection> {
 public:
  Connection(EventLoop& loop, tcp::socket&& socket, uint64_t id, const ServerOptions& options,
             std::shared_ptr<ssl::context> tls, ServerHandler& handler)
      : loop_(loop),
        stream_(std::in_place, std::move(socket)),
        id_(id),
        options_(options),
        tls_(std::move(tls)),
        handler_(&handler),
        deadline_(loop),
        pause_(loop.impl().context) {}

  awaitable<void> live() {
    const bool upgraded = co_await serve_requests();
    deadline_.cancel();
    if (upgraded && handler_ != nullptr) co_await serve_web_socket();
    if (stream_) stream_->close();
  }

  /// The server has gone: end without another callback.
  void abandon() {
    handler_ = nullptr;
    deadline_.cancel();
    pause_.cancel();
    if (stream_) stream_->close();
    if (channel_) {
      channel_->detach();
      channel_->abort(CloseCause::kClosedByUs, "the server has gone");
    }
  }

  uint64_t id() const override { return id_; }
  Status send(Opcode opcode, std::string payload, uint64_t tag) override {
    return channel_->send(opcode, std::move(payload), tag);
  }
  Status send_ping(std::string payload) override { return channel_->send_ping(std::move(payload)); }
  Status send_raw(std::string bytes) override { return channel_->send_raw(std::move(bytes)); }
  void close(uint16_t code, std::string reason) override {
    channel_->close(code, std::move(reason));
  }
  void abort_after_queue() override { channel_->abort_after_queue(); }
  void abort() override { channel_->abort(CloseCause::kClosedByUs, "dropped as asked"); }
  void pause_reading() override { channel_->pause_reading(); }
  void resume_reading() override { channel_->resume_reading(); }
  size_t queued_bytes() const override { return channel_->queued_bytes(); }

 private:
  void limit_time() {
    deadline_.start(options_.request_timeout, [this] {
      if (stream_) stream_->close();
    });
  }

  /// True when the last request became a WebSocket.
  awaitable<bool> serve_requests() {
    error_code ignored;
    stream_->socket().set_option(tcp::no_delay(true), ignored);
    if (tls_) {
      limit_time();
      ByteStream::Tls& tls = stream_->start_tls(tls_);
      auto [error] = co_await tls.async_handshake(ssl::stream_base::server, kAsTuple);
      if (error) co_return false;
    }
    beast::flat_buffer buffer(options_.header_bytes_max + options_.body_bytes_max);
    while (handler_ != nullptr) {
      limit_time();
      http::request_parser<http::string_body> parser;
      parser.header_limit(options_.header_bytes_max);
      parser.body_limit(options_.body_bytes_max);
      auto [error, bytes] = co_await http::async_read(*stream_, buffer, parser, kAsTuple);
      if (error || handler_ == nullptr) co_return false;
      request_ = parser.release();
      HttpResponse response;
      if (beast::websocket::is_upgrade(request_)) {
        decision_ = handler_->on_upgrade(take_request(request_));
        if (decision_.refusal.status == 101) co_return true;
        response = std::move(decision_.refusal);
      } else {
        response = handler_->on_request(take_request(request_));
      }
      if (!co_await respond(std::move(response))) co_return false;
    }
    co_return false;
  }

  /// False when the connection has to end.
  awaitable<bool> respond(HttpResponse response) {
    deadline_.cancel();
    if (response.delay.count() > 0) {
      pause_.expires_after(response.delay);
      co_await pause_.async_wait(kAsTuple);
      if (handler_ == nullptr) co_return false;
    }
    limit_time();
    http::response<http::string_body> message(
        http::int_to_status(static_cast<unsigned>(response.status)), kHttp11);
    message.set(http::field::content_type, response.content_type);
    for (const Header& header : response.headers) message.set(header.name, header.value);
    message.keep_alive(request_.keep_alive());
    message.body() = std::move(response.body);
    message.prepare_payload();
    if (request_.method() == http::verb::head) message.body().clear();
    auto [error, bytes] = co_await http::async_write(*stream_, message, kAsTuple);
    co_return !error && message.keep_alive();
  }

  awaitable<void> serve_web_socket() {
    WebSocketLimits limits = options_.web_socket;
    limits.deflate = decision_.deflate;
    channel_ = std::make_shared<WebSocketChannel>(loop_, std::move(*stream_), limits, *this);
    stream_.reset();
    deadline_.start(options_.request_timeout, [this] { channel_->stream().close(); });
    const error_code error = co_await channel_->accept(request_);
    deadline_.cancel();
    if (error || handler_ == nullptr) co_return;
    handler_->on_open(*this, take_request(request_));
    const CloseReport report = co_await channel_->run();
    if (handler_ != nullptr) handler_->on_closed(*this, report);
  }

  void on_frame(const ReceivedFrame& frame) override {
    if (handler_ != nullptr) handler_->on_frame(*this, frame);
  }
  void on_ping(std::string_view payload, ClockReading time) override {
    if (handler_ != nullptr) handler_->on_ping(*this, payload, time);
  }
  void on_pong(std::string_view payload, ClockReading time) override {
    if (handler_ != nullptr) handler_->on_pong(*this, payload, time);
  }
  void on_sent(uint64_t tag, ClockReading time) override {
    if (handler_ != nullptr) handler_->on_sent(*this, tag, time);
  }

  EventLoop& loop_;
  std::optional<ByteStream> stream_;  // until it becomes a channel
  const uint64_t id_;
  const ServerOptions& options_;
  std::shared_ptr<ssl::context> tls_;
  ServerHandler* handler_;
  Timer deadline_;
  asio::steady_timer pause_;
  http::request<http::string_body> request_;
  UpgradeDecision decision_;
  std::shared_ptr<WebSocketChannel> channel_;
};

}  // namespace

class HttpServer::State : public std::enable_shared_from_this<State> {
 public:
  State(EventLoop& loop, ServerOptions options, ServerHandler& handler)
      : loop_(loop),
        options_(std::move(options)),
        handler_(handler),
        acceptor_(loop.impl().context),
        pause_(loop.impl().context) {}

  Status open() {
    if (!options_.tls_cert_file.empty()) {
      TW_ASSIGN(tls_, make_server_context(options_.tls_cert_file, options_.tls_key_file));
    }
    error_code error;
    const auto address = asio::ip::make_address(options_.listen.address, error);
    if (error) {
      return invalid_argument("'{}' is no IP address to listen on", options_.listen.address);
    }
    const tcp::endpoint endpoint(address, options_.listen.port);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      return io_error("cannot listen on {}:{}: {}; choose another port", options_.listen.address,
                      options_.listen.port, error.message());
    }
    asio::co_spawn(loop_.impl().context, accept_connections(),
                   rethrow_and_release(shared_from_this()));
    return {};
  }

  uint16_t port() const {
    error_code error;
    const auto endpoint = acceptor_.local_endpoint(error);
    return error ? options_.listen.port : endpoint.port();
  }

  void stop_accepting() {
    error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
  }

  void abandon() {
    stop_accepting();
    for (const auto& weak : connections_) {
      if (const auto connection = weak.lock()) connection->abandon();
    }
  }

 private:
  awaitable<void> accept_connections() {
    while (acceptor_.is_open()) {
      tcp::socket socket(loop_.impl().context);
      auto [error] = co_await acceptor_.async_accept(socket, kAsTuple);
      if (error && acceptor_.is_open()) {
        // Out of descriptors, most likely; trying again at once would only burn the processor.
        pause_.expires_after(kAcceptPause);
        co_await pause_.async_wait(kAsTuple);
        continue;
      }
      if (error) break;
      std::erase_if(connections_, [](const auto& weak) { return weak.expired(); });
      if (connections_.size() >= options_.connections_max) continue;  // closes the socket
      const auto connection = std::make_shared<Connection>(
          loop_, std::move(socket), ++accepted_count_, options_, tls_, handler_);
      connections_.push_back(connection);
      // The options, too, are needed as long as the connection lives.
      asio::co_spawn(loop_.impl().context, connection->live(),
                     rethrow_and_release(std::pair(connection, shared_from_this())));
    }
  }

  EventLoop& loop_;
  const ServerOptions options_;
  ServerHandler& handler_;
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  std::shared_ptr<ssl::context> tls_;
  std::vector<std::weak_ptr<Connection>> connections_;
  uint64_t accepted_count_ = 0;
};

HttpServer::HttpServer(std::shared_ptr<State> state) : state_(std::move(state)) {}

HttpServer::~HttpServer() { state_->abandon(); }

uint16_t HttpServer::port() const { return state_->port(); }

void HttpServer::stop_accepting() { state_->stop_accepting(); }

Result<std::unique_ptr<HttpServer>> HttpServer::listen(EventLoop& loop, ServerOptions options,
                                                       ServerHandler& handler) {
  auto state = std::make_shared<State>(loop, std::move(options), handler);
  TW_TRY(state->open());
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
}

}  // namespace tapeworks::net
