#include "recorder/metrics_server.h"

#include <utility>

#include "recorder/metrics_text.h"

namespace tapeworks::recorder {
namespace {

constexpr size_t kBodyBytesMax = 1024;

net::HttpResponse plain(int status, std::string body) {
  return {status, std::move(body), "text/plain; charset=utf-8"};
}

}  // namespace

Result<std::unique_ptr<MetricsServer>> MetricsServer::listen(net::EventLoop& loop,
                                                             const std::string& address) {
  net::ServerOptions options;
  TW_ASSIGN(options.listen, net::parse_listen_address(address));
  options.connections_max = kClientsMax;
  options.body_bytes_max = kBodyBytesMax;
  std::unique_ptr<MetricsServer> server(new MetricsServer);
  TW_ASSIGN(server->server_, net::HttpServer::listen(loop, std::move(options), *server));
  return server;
}

net::HttpResponse MetricsServer::on_request(const net::HttpRequest& request) {
  if (request.method != "GET" && request.method != "HEAD") {
    return plain(405, "only GET and HEAD are served here\n");
  }
  if (!sources_.metrics) return plain(503, "recording has not begun\n");
  const std::string path = request.target.substr(0, request.target.find('?'));
  if (path == "/metrics") {
    return {200, sources_.metrics(), std::string(MetricsText::kContentType)};
  }
  if (path == "/healthz") {
    const auto trouble = sources_.trouble();
    return trouble ? plain(503, *trouble + "\n") : plain(200, "ok\n");
  }
  return plain(404, "there are /metrics and /healthz\n");
}

}  // namespace tapeworks::recorder
