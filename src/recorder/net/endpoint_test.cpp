#include "recorder/net/endpoint.h"

#include <gtest/gtest.h>

namespace tapeworks::net {
namespace {

TEST(Endpoint, TakesSchemeHostPortAndTargetApart) {
  const auto endpoint = parse_endpoint("wss://stream.example.com:9443/stream?streams=a@trade/b");
  ASSERT_TRUE(endpoint) << endpoint.error().message;
  EXPECT_TRUE(endpoint->tls);
  EXPECT_EQ(endpoint->host, "stream.example.com");
  EXPECT_EQ(endpoint->port, 9443);
  EXPECT_EQ(endpoint->target, "/stream?streams=a@trade/b");
}

TEST(Endpoint, HasThePortOfItsScheme) {
  EXPECT_EQ(parse_endpoint("ws://h")->port, 80);
  EXPECT_EQ(parse_endpoint("http://h")->port, 80);
  EXPECT_EQ(parse_endpoint("wss://h")->port, 443);
  EXPECT_EQ(parse_endpoint("https://h")->port, 443);
  EXPECT_EQ(parse_endpoint("https://h?a=b")->target, "/?a=b");
  EXPECT_EQ(parse_endpoint("ws://h")->target, "/");
}

TEST(Endpoint, TakesTheBracketsOffAnIpv6AddressAndPutsThemBack) {
  const auto endpoint = parse_endpoint("ws://[::1]:9001/ws");
  ASSERT_TRUE(endpoint);
  EXPECT_EQ(endpoint->host, "::1");
  EXPECT_EQ(host_and_port(*endpoint), "[::1]:9001");
  EXPECT_EQ(host_and_port(*parse_endpoint("ws://h:1")), "h:1");
}

TEST(Endpoint, RefusesWhatIsNoAddress) {
  for (const char* url : {"", "h:80", "ftp://h", "ws://", "ws://:80", "ws://h:", "ws://h:0",
                          "ws://h:65536", "ws://h:80x", "ws://[::1", "ws://[::1]80", "ws://h/a b",
                          "ws://h/\xe5\xb8\x81", "ws://user@h/", "ws://h/\r\nX: y"}) {
    EXPECT_FALSE(parse_endpoint(url)) << url;
  }
}

TEST(ListenAddress, NeedsAddressAndPort) {
  EXPECT_EQ(parse_listen_address("127.0.0.1:0")->port, 0);
  EXPECT_EQ(parse_listen_address("[::1]:9001")->address, "::1");
  for (const char* text : {"", "9001", "127.0.0.1", ":9001", "127.0.0.1:x", "127.0.0.1:70000",
                           "localhost:80", "foo:80", "1.2.3.4.5:80", "[::g]:80"}) {
    EXPECT_FALSE(parse_listen_address(text)) << text;
  }
}

}  // namespace
}  // namespace tapeworks::net
