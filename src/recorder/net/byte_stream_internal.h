#pragma once

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/teardown.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "recorder/net/asio_internal.h"

namespace tapeworks::net {

namespace beast = boost::beast;
namespace ssl = boost::asio::ssl;

/// A TCP connection on which TLS may be switched on: one type for both, so that the templates of
/// the layers above, which take most of the time of a build, are made once. May be moved between
/// operations.
class ByteStream {
 public:
  using executor_type = tcp::socket::executor_type;
  using Tls = ssl::stream<tcp::socket&>;

  explicit ByteStream(const executor_type& executor) : ByteStream(tcp::socket(executor)) {}
  explicit ByteStream(tcp::socket&& socket) : state_(std::make_unique<State>(std::move(socket))) {}

  executor_type get_executor() noexcept { return state_->socket.get_executor(); }
  tcp::socket& socket() { return state_->socket; }

  /// What is read and written from here on goes through TLS, once its handshake is done.
  Tls& start_tls(std::shared_ptr<ssl::context> context) {
    state_->context = std::move(context);
    return state_->tls.emplace(state_->socket, *state_->context);
  }
  Tls* tls() { return state_->tls ? &*state_->tls : nullptr; }

  /// Ends all waiting at once; the peer sees the connection close.
  void close() {
    error_code ignored;
    state_->socket.close(ignored);
  }

  template <typename Buffers, typename Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return state_->tls ? state_->tls->async_read_some(buffers, std::forward<Token>(token))
                       : state_->socket.async_read_some(buffers, std::forward<Token>(token));
  }
  template <typename Buffers, typename Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return state_->tls ? state_->tls->async_write_some(buffers, std::forward<Token>(token))
                       : state_->socket.async_write_some(buffers, std::forward<Token>(token));
  }

 private:
  struct State {
    explicit State(tcp::socket&& connected) : socket(std::move(connected)) {}
    tcp::socket socket;
    std::shared_ptr<ssl::context> context;
    std::optional<Tls> tls;  // refers to the socket, which therefore never moves
  };
  std::unique_ptr<State> state_;
};

/// Customisation points of Beast: what follows the closing handshake of a WebSocket.
template <typename Handler>
void async_teardown(beast::role_type role, ByteStream& stream, Handler&& handler) {
  if (stream.tls() != nullptr) {
    beast::async_teardown(role, *stream.tls(), std::forward<Handler>(handler));
  } else {
    beast::websocket::async_teardown(role, stream.socket(), std::forward<Handler>(handler));
  }
}
inline void beast_close_socket(ByteStream& stream) { stream.close(); }

}  // namespace tapeworks::net
