#include "recorder/net/event_loop.h"

#include <boost/asio/post.hpp>
#include <csignal>
#include <optional>
#include <utility>

#include "recorder/net/asio_internal.h"
#include "recorder/net/clock_script.h"

namespace tapeworks::net {
namespace {

template <typename Clock>
int64_t nanoseconds_of() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch())
      .count();
}

/// A script, and both clocks of the machine when it was given: from there on only the monotonic one
/// counts, so that nobody's setting of the machine's clock disturbs a test.
struct ScriptedTime {
  ClockScript script;
  ClockReading begin;
};
std::optional<ScriptedTime> scripted_time;

ClockReading machine_clocks() {
  return {nanoseconds_of<std::chrono::system_clock>(), nanoseconds_of<std::chrono::steady_clock>()};
}

void await_signal(asio::signal_set& signals, std::shared_ptr<std::function<void(int)>> callback) {
  signals.async_wait([&signals, callback](const error_code& error, int signal_number) {
    if (error) return;
    (*callback)(signal_number);
    await_signal(signals, callback);
  });
}

}  // namespace

ClockReading read_clocks() {
  const ClockReading machine = machine_clocks();
  if (!scripted_time) return machine;
  const auto& [script, begin] = *scripted_time;
  return script.at({begin.wall_ns + (machine.monotonic_ns - begin.monotonic_ns), 0});
}

void use_clock_script(const ClockScript& script) {
  scripted_time = ScriptedTime{script, machine_clocks()};
}

EventLoop::EventLoop() : impl_(std::make_unique<Impl>()) {}

EventLoop::~EventLoop() = default;

void EventLoop::run() {
  impl_->context.restart();
  impl_->context.run();
}

void EventLoop::stop() { impl_->context.stop(); }

void EventLoop::post(std::function<void()> task) { asio::post(impl_->context, std::move(task)); }

void EventLoop::on_termination(std::function<void(int)> callback) {
  impl_->termination = std::make_unique<asio::signal_set>(impl_->context, SIGINT, SIGTERM);
  await_signal(*impl_->termination,
               std::make_shared<std::function<void(int)>>(std::move(callback)));
}

void EventLoop::on_reload(std::function<void(int)> callback) {
  impl_->reload = std::make_unique<asio::signal_set>(impl_->context, SIGHUP);
  await_signal(*impl_->reload, std::make_shared<std::function<void(int)>>(std::move(callback)));
}

struct Timer::State {
  explicit State(EventLoop& loop) : timer(loop.impl().context) {}

  asio::steady_timer timer;
  std::function<void()> callback;
  uint64_t start_count = 0;
};

Timer::Timer(EventLoop& loop) : state_(std::make_shared<State>(loop)) {}

Timer::~Timer() { cancel(); }

void Timer::start(std::chrono::nanoseconds delay, std::function<void()> callback) {
  state_->callback = std::move(callback);
  const uint64_t number = ++state_->start_count;
  state_->timer.expires_after(scripted_time ? delay / scripted_time->script.speed() : delay);
  // The number tells a wait that was replaced after it had expired from the one that counts.
  state_->timer.async_wait([state = state_, number](const error_code& error) {
    if (error || number != state->start_count) return;
    std::exchange(state->callback, nullptr)();
  });
}

void Timer::cancel() {
  ++state_->start_count;
  state_->callback = nullptr;
  state_->timer.cancel();
}

}  // namespace tapeworks::net
