#include "base/progress.h"

#include <cstdio>
#include <utility>

#include <fmt/format.h>

namespace tapeworks {
namespace {

constexpr std::chrono::milliseconds kDelay{1000};
constexpr std::chrono::milliseconds kInterval{200};
constexpr const char* kEraseLine = "\r\x1b[K";

std::atomic<bool> g_shown{false};

void write_stderr(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace

void set_progress(bool shown) { g_shown.store(shown, std::memory_order_relaxed); }

Progress::Progress(std::string label, uint64_t total)
    : label_(std::move(label)),
      total_(total),
      shown_(g_shown.load(std::memory_order_relaxed)),
      next_draw_(std::chrono::steady_clock::now() + kDelay) {}

Progress::~Progress() {
  if (drawn_) write_stderr(kEraseLine);
}

void Progress::add(uint64_t amount) {
  const uint64_t done = done_.fetch_add(amount, std::memory_order_relaxed) + amount;
  if (!shown_) return;
  // Whoever finds the line being drawn goes on with its work.
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (lock.owns_lock()) draw(done);
}

void Progress::draw(uint64_t done) {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_draw_) return;
  next_draw_ = now + kInterval;
  drawn_ = true;
  const double percent =
      total_ == 0 ? 100.0 : 100.0 * static_cast<double>(done) / static_cast<double>(total_);
  write_stderr(fmt::format("{}{} {:.0f} %", kEraseLine, label_, percent));
}

}  // namespace tapeworks
