#include "base/messages.h"

#include <atomic>
#include <cstdio>

#include <unistd.h>

#include "base/printable_text.h"

namespace tapeworks {
namespace {

std::atomic<bool> g_quiet{false};
std::atomic<bool> g_warnings_muted{false};

void write_line(std::string_view prefix, std::string_view line) {
  const std::string text = fmt::format("{}{}\n", prefix, printable_text(line));
  std::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace

void set_quiet(bool quiet) { g_quiet.store(quiet, std::memory_order_relaxed); }

bool is_quiet() { return g_quiet.load(std::memory_order_relaxed); }

MutedWarnings::MutedWarnings() { g_warnings_muted.store(true, std::memory_order_relaxed); }

MutedWarnings::~MutedWarnings() { g_warnings_muted.store(false, std::memory_order_relaxed); }

void warn_line(std::string_view line) {
  const bool is_silent = is_quiet() || g_warnings_muted.load(std::memory_order_relaxed);
  if (!is_silent) write_line("tapeworks: warning: ", line);
}

void announce_line(std::string_view line) {
  if (!is_quiet()) write_line("tapeworks: ", line);
}

void note_line(std::string_view line) {
  if (!is_quiet() && isatty(STDERR_FILENO) != 0) write_line("", line);
}

}  // namespace tapeworks
