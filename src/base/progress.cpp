#include "base/progress.h"

#include <cstdio>
#include <utility>

#include <fmt/format.h>

#include "base/row_progress.h"

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

/// 1234567 is 1,234,567.
std::string with_commas(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t place = text.size(); place > 3; place -= 3) text.insert(place - 3, ",");
  return text;
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

RowProgress::RowProgress(std::string label)
    : label_(std::move(label)),
      begin_(std::chrono::steady_clock::now()),
      next_draw_(begin_ + kDelay) {}

RowProgress::~RowProgress() {
  if (drawn_) write_stderr(kEraseLine);
}

void RowProgress::set(uint64_t rows, uint64_t expected) {
  const auto now = std::chrono::steady_clock::now();
  if (!g_shown.load(std::memory_order_relaxed) || now < next_draw_) return;
  next_draw_ = now + kInterval;
  drawn_ = true;
  const std::chrono::duration<double> elapsed = now - begin_;
  write_stderr(kEraseLine + text(label_, rows, expected, elapsed.count()));
}

std::string RowProgress::text(const std::string& label, uint64_t rows, uint64_t expected,
                              double seconds) {
  const std::string total = expected > rows ? " of about " + with_commas(expected) : "";
  const double rate = seconds > 0 ? static_cast<double>(rows) / seconds : 0;
  return fmt::format("{}: {}{} rows, {} a second", label, with_commas(rows), total,
                     with_commas(static_cast<uint64_t>(rate)));
}

}  // namespace tapeworks
