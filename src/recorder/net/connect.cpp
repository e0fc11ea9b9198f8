#include <boost/asio/connect.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "base/printable_text.h"
#include "recorder/net/connect_internal.h"
#include "recorder/net/tls_internal.h"

namespace tapeworks::net {
namespace {

constexpr size_t kProxyReplyBytesMax = 16 * 1024;
constexpr size_t kStatusLineBytesShown = 100;

}  // namespace

ConnectAttempt::ConnectAttempt(EventLoop& loop, ByteStream& stream, const ConnectOptions& options,
                               std::function<void(const Error&)> on_timeout)
    : stream_(stream),
      options_(options),
      on_timeout_(std::move(on_timeout)),
      resolver_(loop.impl().context),
      deadline_(loop) {}

void ConnectAttempt::begin_step(std::string_view what, std::chrono::milliseconds allowed) {
  deadline_.start(allowed, [this, what = std::string(what), allowed] {
    timeout_ =
        Error{ErrorKind::kIo, fmt::format("{} took longer than {} ms {}",
                                          host_and_port(options_.endpoint), allowed.count(), what)};
    cancel();
    on_timeout_(*timeout_);
  });
}

void ConnectAttempt::cancel() {
  resolver_.cancel();
  stream_.close();
}

std::unexpected<Error> ConnectAttempt::failure(Error fallback) const {
  return std::unexpected(timeout_ ? *timeout_ : std::move(fallback));
}

awaitable<Status> ConnectAttempt::run() {
  const Endpoint& peer = options_.proxy ? *options_.proxy : options_.endpoint;
  if (Status connected = co_await connect_socket(peer); !connected) co_return connected;
  if (options_.proxy) {
    if (Status passed = co_await pass_proxy(); !passed) co_return passed;
  }
  if (options_.endpoint.tls) {
    if (Status secured = co_await handshake_tls(); !secured) co_return secured;
  }
  end_step();
  co_return Status{};
}

awaitable<Status> ConnectAttempt::connect_socket(const Endpoint& peer) {
  const std::string where = host_and_port(peer);
  begin_step("to find the address of its name", options_.timeouts.resolve);
  auto [resolve_error, addresses] =
      co_await resolver_.async_resolve(peer.host, std::to_string(peer.port), kAsTuple);
  if (resolve_error) {
    co_return failure(io_error("cannot find the address of {}: {}; check the name and the network",
                               peer.host, resolve_error.message())
                          .error());
  }
  if (timeout_) co_return std::unexpected(*timeout_);
  begin_step("to accept a connection", options_.timeouts.connect);
  auto [connect_error, address] =
      co_await asio::async_connect(stream_.socket(), addresses, kAsTuple);
  if (connect_error) {
    co_return failure(io_error("cannot connect to {}: {}", where, connect_error.message()).error());
  }
  // Subscriptions and pongs are small; waiting to fill a segment would only delay them.
  error_code ignored;
  stream_.socket().set_option(tcp::no_delay(true), ignored);
  co_return Status{};
}

awaitable<Status> ConnectAttempt::pass_proxy() {
  const std::string proxy = host_and_port(*options_.proxy);
  const std::string target = host_and_port(options_.endpoint);
  begin_step("to be reached through the proxy", options_.timeouts.proxy);
  const std::string request = fmt::format("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n\r\n", target);
  auto [write_error, written] =
      co_await asio::async_write(stream_.socket(), asio::buffer(request), kAsTuple);
  std::string reply;
  error_code error = write_error;
  if (!error) {
    auto [read_error, reply_bytes] = co_await asio::async_read_until(
        stream_.socket(), asio::dynamic_buffer(reply, kProxyReplyBytesMax), "\r\n\r\n", kAsTuple);
    error = read_error;
  }
  if (error) {
    co_return failure(
        io_error("the proxy {} gave no answer for {}: {}", proxy, target, error.message()).error());
  }
  if (!reply.starts_with("HTTP/1.1 2") && !reply.starts_with("HTTP/1.0 2")) {
    co_return failure(
        io_error("the proxy {} will not connect to {}: {}", proxy, target,
                 printable_text(reply.substr(0, reply.find('\r')), kStatusLineBytesShown))
            .error());
  }
  co_return Status{};
}

awaitable<Status> ConnectAttempt::handshake_tls() {
  begin_step("to agree on TLS", options_.timeouts.tls);
  auto context = make_client_context(options_.trust);
  if (!context) co_return std::unexpected(std::move(context).error());
  ByteStream::Tls& tls = stream_.start_tls(std::move(*context));
  auto problem = expect_host(tls, options_.endpoint.host, options_.trust);
  if (!problem) co_return std::unexpected(std::move(problem).error());
  auto [error] = co_await tls.async_handshake(ssl::stream_base::client, kAsTuple);
  if (error) co_return failure(explain_handshake_failure(**problem, error, options_.endpoint));
  co_return Status{};
}

}  // namespace tapeworks::net
