#include "recorder/net/service_notifier.h"

#include <array>
#include <cstddef>
#include <cstring>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace tapeworks::net {
namespace {

/// The manager's end, bound to an abstract name.
class Manager {
 public:
  Manager() : name_(fmt::format("tapeworks-notify-{}", ::getpid())) {
    socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un own{};
    own.sun_family = AF_UNIX;
    std::memcpy(own.sun_path + 1, name_.data(), name_.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name_.size());
    EXPECT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&own), size), 0);
  }
  ~Manager() { ::close(socket_); }

  std::string address() const { return "@" + name_; }
  std::string hear() const {
    std::array<char, 64> text{};
    const auto size = ::recv(socket_, text.data(), text.size(), 0);
    return size < 0 ? "nothing" : std::string(text.data(), static_cast<size_t>(size));
  }

 private:
  std::string name_;
  int socket_ = -1;
};

TEST(ServiceNotifier, TellsTheManagerOneThingADatagram) {
  const Manager manager;
  const ServiceNotifier notifier(manager.address());
  notifier.tell("READY=1");
  notifier.tell("WATCHDOG=1");
  EXPECT_EQ(manager.hear(), "READY=1");
  EXPECT_EQ(manager.hear(), "WATCHDOG=1");
  EXPECT_EQ(manager.hear(), "nothing");
}

TEST(ServiceNotifier, WithoutAManagerNothingHappens) {
  ServiceNotifier("").tell("READY=1");
  ServiceNotifier("/nobody/listens/here").tell("READY=1");
  ServiceNotifier(std::string(500, 'x')).tell("READY=1");
}

}  // namespace
}  // namespace tapeworks::net
