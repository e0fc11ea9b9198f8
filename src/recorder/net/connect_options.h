#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "recorder/net/endpoint.h"

namespace tapeworks::net {

struct Header {
  std::string name;
  std::string value;
};

/// Whom to believe. The certificate and the name in it are always verified.
struct TlsTrust {
  /// PEM file of authorities to believe instead of the system's; empty means the system's.
  std::filesystem::path ca_file{};
  /// For tests only: anybody can then pretend to be the server.
  bool insecure_accept_any_certificate_for_tests = false;
};

/// How long each step may take. The steps follow each other, so the sum is the longest wait.
struct ConnectTimeouts {
  std::chrono::milliseconds resolve{5'000};
  std::chrono::milliseconds connect{10'000};
  std::chrono::milliseconds proxy{10'000};
  std::chrono::milliseconds tls{10'000};
  std::chrono::milliseconds handshake{10'000};  ///< the WebSocket upgrade, or the HTTP answer
};

struct ConnectOptions {
  Endpoint endpoint;
  std::vector<Header> headers;  ///< of the request, besides those that the protocol needs
  TlsTrust trust;
  std::optional<Endpoint> proxy;  ///< an HTTP proxy that is asked to CONNECT
  ConnectTimeouts timeouts;
};

}  // namespace tapeworks::net
