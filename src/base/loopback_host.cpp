#include "base/loopback_host.h"

#include <cstdint>
#include <string>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace tapeworks {
namespace {

bool is_loopback_ipv4(const std::string& text) {
  constexpr uint32_t kLoopbackNetwork = 127;
  in_addr address{};
  return ::inet_pton(AF_INET, text.c_str(), &address) == 1 &&
         ntohl(address.s_addr) >> 24 == kLoopbackNetwork;
}

bool is_loopback_ipv6(const std::string& text) {
  in6_addr address{};
  return ::inet_pton(AF_INET6, text.c_str(), &address) == 1 && IN6_IS_ADDR_LOOPBACK(&address);
}

}  // namespace

bool is_loopback_host(std::string_view host) {
  // inet_pton would stop at it and take what stands before.
  if (host.find('\0') != std::string_view::npos) return false;
  if (host.starts_with('[') && host.ends_with(']')) {
    return is_loopback_ipv6(std::string(host.substr(1, host.size() - 2)));
  }
  const std::string text(host);
  return text == "localhost" || is_loopback_ipv4(text) || is_loopback_ipv6(text);
}

}  // namespace tapeworks
