#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/result.h"
#include "recorder/net/http_server.h"

namespace tapeworks::recorder {

/// Serves /metrics in the text format of Prometheus, and /healthz: 200, or 503 with one sentence.
///
/// Ownership: the loop outlives it, and what is called back must hold as long. Failure: listen()
/// with kIo when the port is taken, kInvalidArgument for what is no address. At most kClientsMax
/// connections. Threads: that of the loop.
class MetricsServer final : private net::ServerHandler {
 public:
  static constexpr size_t kClientsMax = 16;

  struct Sources {
    std::function<std::string()> metrics;
    std::function<std::optional<std::string>()> trouble;  ///< nothing: all is well
  };

  /// Takes the port; who asks is answered when the loop runs, by 503 until serve().
  static Result<std::unique_ptr<MetricsServer>> listen(net::EventLoop& loop,
                                                       const std::string& address);
  void serve(Sources sources) { sources_ = std::move(sources); }

  uint16_t port() const { return server_->port(); }

 private:
  MetricsServer() = default;

  net::HttpResponse on_request(const net::HttpRequest& request) override;

  Sources sources_;
  std::unique_ptr<net::HttpServer> server_;  ///< last: its end calls nobody back
};

}  // namespace tapeworks::recorder
