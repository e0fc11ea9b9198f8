#pragma once

#include <string>
#include <string_view>

namespace tapeworks::net {

/// Tells a service manager (systemd) how the service is: one datagram to the socket that
/// NOTIFY_SOCKET names. Without that variable it does nothing.
///
/// Failure: none is reported; who does not listen learns nothing. Never blocks. Threads: one.
class ServiceNotifier {
 public:
  /// `address` is a path, or a name that begins with '@'; empty: nobody is told.
  explicit ServiceNotifier(std::string_view address);
  static ServiceNotifier from_environment();
  ~ServiceNotifier();
  ServiceNotifier(ServiceNotifier&& other) noexcept;
  ServiceNotifier& operator=(ServiceNotifier&&) = delete;

  /// "READY=1", "WATCHDOG=1", "STOPPING=1".
  void tell(std::string_view state) const;

 private:
  std::string address_;  ///< as the system wants it
  int socket_ = -1;
};

}  // namespace tapeworks::net
