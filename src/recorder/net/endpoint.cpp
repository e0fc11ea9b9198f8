#include "recorder/net/endpoint.h"

#include <algorithm>
#include <array>
#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <optional>

#include "base/printable_text.h"

namespace tapeworks::net {
namespace {

constexpr size_t kUrlBytesMax = 8192;

struct Scheme {
  std::string_view prefix;
  bool tls;
  uint16_t port;
};
constexpr std::array kSchemes{Scheme{"ws://", false, 80}, Scheme{"wss://", true, 443},
                              Scheme{"http://", false, 80}, Scheme{"https://", true, 443}};

std::optional<uint16_t> parse_port(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

struct Authority {
  std::string_view host;
  std::optional<std::string_view> port;
};

/// Splits "HOST[:PORT]"; the brackets of an IPv6 address are taken off.
std::optional<Authority> split_authority(std::string_view text) {
  Authority authority;
  std::string_view rest;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    authority.host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
  } else {
    const size_t colon = text.find(':');
    authority.host = text.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
  }
  if (authority.host.empty()) return std::nullopt;
  if (rest.empty()) return authority;
  if (!rest.starts_with(':')) return std::nullopt;
  authority.port = rest.substr(1);
  return authority;
}

/// What may stand in a request line as it is; all else must have been percent-encoded.
bool is_target_byte(char c) { return c > ' ' && c < '\x7f'; }
bool is_host_byte(char c) { return is_target_byte(c) && c != '@' && c != '/'; }

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view url) {
  const auto wrong = [url](std::string_view why) {
    return invalid_argument("'{}' is no address to connect to: {}", printable_text(url, 200), why);
  };
  if (url.size() > kUrlBytesMax) return wrong("it is too long");
  const auto scheme = std::ranges::find_if(
      kSchemes, [url](const Scheme& candidate) { return url.starts_with(candidate.prefix); });
  if (scheme == kSchemes.end())
    return wrong("it must begin with ws://, wss://, http:// or https://");
  const std::string_view rest = url.substr(scheme->prefix.size());
  const size_t end = std::min(rest.find_first_of("/?"), rest.size());
  const auto authority = split_authority(rest.substr(0, end));
  if (!authority || !std::ranges::all_of(authority->host, is_host_byte)) {
    return wrong("the host is missing or misspelled");
  }
  Endpoint endpoint{scheme->tls, std::string(authority->host), scheme->port, "/"};
  if (authority->port) {
    const auto port = parse_port(*authority->port);
    if (!port || *port == 0) return wrong("the port must be a number from 1 to 65535");
    endpoint.port = *port;
  }
  if (end < rest.size()) {
    const std::string_view target = rest.substr(end);
    if (!std::ranges::all_of(target, is_target_byte)) {
      return wrong("blanks and bytes beyond ASCII must be written as %XX");
    }
    endpoint.target = target.starts_with('?') ? "/" + std::string(target) : std::string(target);
  }
  return endpoint;
}

std::string host_and_port(const Endpoint& endpoint) {
  const bool is_ipv6 = endpoint.host.contains(':');
  return is_ipv6 ? fmt::format("[{}]:{}", endpoint.host, endpoint.port)
                 : fmt::format("{}:{}", endpoint.host, endpoint.port);
}

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const auto authority = split_authority(text);
  const auto port = authority && authority->port ? parse_port(*authority->port) : std::nullopt;
  boost::system::error_code error;
  if (port) boost::asio::ip::make_address(authority->host, error);
  if (!port || error) {
    return invalid_argument(
        "'{}' is no address to listen on; write ADDRESS:PORT with the number of an address and a "
        "port up to 65535, such as 127.0.0.1:9001",
        printable_text(text, 200));
  }
  return ListenAddress{std::string(authority->host), *port};
}

}  // namespace tapeworks::net
