#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tapeworks::net {

/// Where to connect, and what to ask for there.
struct Endpoint {
  bool tls = false;
  std::string host;  ///< a name or an address; an IPv6 address stands without brackets
  uint16_t port = 0;
  std::string target = "/";  ///< path and query
};

/// Parses ws://, wss://, http:// and https:// addresses; a missing port is 80 or 443.
/// kInvalidArgument for anything else.
Result<Endpoint> parse_endpoint(std::string_view url);

/// "HOST:PORT" as messages and the Host header have it.
std::string host_and_port(const Endpoint& endpoint);

/// "ADDRESS:PORT" of a listener: "127.0.0.1:9001", "[::1]:9001". Port 0 lets the system choose. An
/// address is a number: a name may stand for several. kInvalidArgument for anything else.
struct ListenAddress {
  std::string address;
  uint16_t port = 0;
};
Result<ListenAddress> parse_listen_address(std::string_view text);

}  // namespace tapeworks::net
