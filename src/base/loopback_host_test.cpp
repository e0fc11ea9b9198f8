#include "base/loopback_host.h"

#include <string>

#include <gtest/gtest.h>

namespace tapeworks {
namespace {

TEST(LoopbackHost, AddressesOfThisMachine) {
  for (const char* host : {"localhost", "127.0.0.1", "127.0.0.0", "127.1.2.3", "127.255.255.255",
                           "::1", "[::1]", "0:0:0:0:0:0:0:1", "[0::1]"}) {
    EXPECT_TRUE(is_loopback_host(host)) << host;
  }
}

TEST(LoopbackHost, NamesThatBeginLikeAnAddressAreAnybodys) {
  for (const char* host : {"127.example.org", "127.0.0.1.evil.com", "127.", "127.1", "127.0.0.1.",
                           "127.0.0.256", "localhost.evil.com", "", "[", "[]", "]"}) {
    EXPECT_FALSE(is_loopback_host(host)) << host;
  }
}

TEST(LoopbackHost, OtherAddressesAreOtherMachines) {
  for (const char* host : {"0.0.0.0", "10.0.0.1", "126.255.255.255", "128.0.0.1", "::", "::2",
                           "[fe80::1]", "1::1", "[127.0.0.1]"}) {
    EXPECT_FALSE(is_loopback_host(host)) << host;
  }
  EXPECT_FALSE(is_loopback_host(std::string("127.0.0.1\0.evil.com", 19)));
}

}  // namespace
}  // namespace tapeworks
