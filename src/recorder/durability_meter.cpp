#include "recorder/durability_meter.h"

#include <chrono>

#include "recorder/net/event_loop.h"

namespace tapeworks::recorder {
namespace {

/// How soon stop() is noticed when the log does not move.
constexpr std::chrono::milliseconds kWait{100};

}  // namespace

void DurabilityMeter::start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void DurabilityMeter::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void DurabilityMeter::note(uint64_t lsn, int64_t received_monotonic_ns) {
  const std::lock_guard lock(mutex_);
  if (waiting_.size() == kWaitingMax) {
    waiting_.back().last_lsn = lsn;
    ++waiting_.back().count;
  } else {
    waiting_.push_back({lsn, received_monotonic_ns, 1});
  }
}

DurabilityMeter::Reading DurabilityMeter::read() const {
  const std::lock_guard lock(mutex_);
  return reading_;
}

void DurabilityMeter::run(const std::stop_token& stop) {
  uint64_t durable_lsn = 0;
  while (!stop.stop_requested()) {
    const auto reached = writer_.wait_durable(durable_lsn + 1, kWait);
    if (!reached) return;
    if (!*reached) continue;
    durable_lsn = writer_.durable_lsn();
    take(durable_lsn, net::read_clocks().monotonic_ns);
  }
}

void DurabilityMeter::take(uint64_t durable_lsn, int64_t now_ns) {
  const std::lock_guard lock(mutex_);
  reading_.last_record_durable_ns = now_ns;
  while (!waiting_.empty() && waiting_.front().last_lsn <= durable_lsn) {
    const Waiting& done = waiting_.front();
    reading_.receive_to_durable.observe(now_ns - done.received_ns, done.count);
    reading_.last_message_durable_ns = now_ns;
    waiting_.pop_front();
  }
}

}  // namespace tapeworks::recorder
