#include "base/interrupt.h"

#include <atomic>
#include <csignal>

namespace tapeworks {
namespace {

std::atomic<bool> g_interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch such");

extern "C" void on_signal(int signal_number) {
  g_interrupted.store(true, std::memory_order_relaxed);
  std::signal(signal_number, SIG_DFL);
}

}  // namespace

void install_interrupt_handler() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

bool interrupted() { return g_interrupted.load(std::memory_order_relaxed); }

Status check_interrupt() {
  if (interrupted()) return cancelled();
  return {};
}

}  // namespace tapeworks
