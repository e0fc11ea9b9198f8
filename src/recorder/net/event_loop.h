#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace tapeworks::net {

/// Both clocks, read one after the other.
struct ClockReading {
  int64_t wall_ns = 0;       ///< since 1970-01-01 UTC
  int64_t monotonic_ns = 0;  ///< since some moment of the machine's own; never goes back
};
ClockReading read_clocks();

/// The one thread on which sockets, timers and signals are served. Everything of this folder calls
/// back on it, one callback at a time.
///
/// Ownership: outlives every Timer, client and server that was made with it.
/// Threads: post() and stop() from any; everything else on the thread of run(), or while it does
/// not run.
class EventLoop {
 public:
  EventLoop();
  ~EventLoop();

  /// Serves until stop(), or until nothing is left to wait for.
  void run();
  void stop();

  void post(std::function<void()> task);

  /// Calls back for each SIGINT and SIGTERM, which then no longer end the process. Once per loop;
  /// holds until the loop is destroyed.
  void on_termination(std::function<void(int signal_number)> callback);
  /// Likewise for SIGHUP.
  void on_reload(std::function<void(int signal_number)> callback);

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

/// Calls back once after a while, unless it is started again, cancelled or destroyed before.
/// The callback may start, cancel or destroy its own timer.
class Timer {
 public:
  explicit Timer(EventLoop& loop);
  ~Timer();

  void start(std::chrono::nanoseconds delay, std::function<void()> callback);
  void cancel();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tapeworks::net
