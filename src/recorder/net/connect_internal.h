#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "recorder/net/byte_stream_internal.h"
#include "recorder/net/connect_options.h"

namespace tapeworks::net {

/// Takes a stream from nothing to connected: resolve, connect, the proxy, TLS; each step with its
/// timeout. Later steps of the owner (upgrade, HTTP answer) may use the same deadline.
///
/// The timeout of a step is reported at once through `on_timeout`, because a name server may keep
/// the coroutine waiting for much longer; the coroutine ends with the same error later.
///
/// Ownership: refers to all it is given; the owner lives until run() has ended.
class ConnectAttempt {
 public:
  ConnectAttempt(EventLoop& loop, ByteStream& stream, const ConnectOptions& options,
                 std::function<void(const Error&)> on_timeout);

  awaitable<Status> run();

  /// From now on `what` ("to answer") has `allowed` of time.
  void begin_step(std::string_view what, std::chrono::milliseconds allowed);
  void end_step() { deadline_.cancel(); }

  /// Ends a run() in progress, with an error.
  void cancel();

  /// The error of a step: the timeout if there was one, else `fallback`.
  std::unexpected<Error> failure(Error fallback) const;

 private:
  awaitable<Status> connect_socket(const Endpoint& peer);
  awaitable<Status> pass_proxy();
  awaitable<Status> handshake_tls();

  ByteStream& stream_;
  const ConnectOptions& options_;
  std::function<void(const Error&)> on_timeout_;
  tcp::resolver resolver_;
  Timer deadline_;
  std::optional<Error> timeout_;
};

}  // namespace tapeworks::net
