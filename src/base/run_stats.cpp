#include "base/run_stats.h"

#include <algorithm>
#include <atomic>
#include <mutex>

namespace tapeworks {
namespace {

std::atomic<uint64_t> g_rows{0};
std::mutex g_mutex;
std::vector<PhaseStats> g_phases;  // guarded by g_mutex

}  // namespace

void add_run_rows(uint64_t rows) { g_rows.fetch_add(rows, std::memory_order_relaxed); }

uint64_t run_rows() { return g_rows.load(std::memory_order_relaxed); }

std::vector<PhaseStats> run_phases() {
  const std::scoped_lock lock(g_mutex);
  return g_phases;
}

PhaseTimer::PhaseTimer(std::string_view name)
    : name_(name), begin_(std::chrono::steady_clock::now()) {}

PhaseTimer::~PhaseTimer() {
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin_;
  const std::scoped_lock lock(g_mutex);
  auto phase = std::ranges::find(g_phases, name_, &PhaseStats::name);
  if (phase == g_phases.end()) phase = g_phases.insert(g_phases.end(), PhaseStats{name_});
  phase->wall_seconds += elapsed.count();
  phase->rows += rows_;
}

}  // namespace tapeworks
