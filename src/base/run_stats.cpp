#include "base/run_stats.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <ctime>
#include <mutex>

namespace tapeworks {
namespace {

std::atomic<uint64_t> g_rows{0};
std::mutex g_mutex;
std::vector<PhaseStats> g_phases;  // guarded by g_mutex

std::atomic<uint64_t> g_spilled_bytes{0};

constexpr int kNoStage = -1;
constexpr std::array<std::string_view, kStageCount> kStageNames{
    "read", "decode", "aggregate", "spill", "sort", "encode", "write", "pnl"};

struct StageTotals {
  std::atomic<int64_t> wall_nanoseconds{0};
  std::atomic<int64_t> cpu_nanoseconds{0};
};
std::array<StageTotals, kStageCount> g_stages;

int64_t nanoseconds_of(clockid_t clock) {
  timespec now{};
  if (::clock_gettime(clock, &now) != 0) return 0;
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

/// The clock of one thread: since when it is in which stage.
struct StageClock {
  int stage = kNoStage;
  int64_t wall = 0;
  int64_t cpu = 0;

  /// Ends the current stage and begins another one.
  void turn_to(int next) {
    const int64_t wall_now = nanoseconds_of(CLOCK_MONOTONIC);
    const int64_t cpu_now = nanoseconds_of(CLOCK_THREAD_CPUTIME_ID);
    if (stage != kNoStage) {
      StageTotals& totals = g_stages[static_cast<size_t>(stage)];
      totals.wall_nanoseconds.fetch_add(wall_now - wall, std::memory_order_relaxed);
      totals.cpu_nanoseconds.fetch_add(cpu_now - cpu, std::memory_order_relaxed);
    }
    stage = next;
    wall = wall_now;
    cpu = cpu_now;
  }
};
thread_local StageClock t_stage_clock;

}  // namespace

std::vector<StageStats> run_stages() {
  std::vector<StageStats> stages;
  for (size_t i = 0; i < kStageCount; ++i) {
    const auto seconds = [](const std::atomic<int64_t>& nanoseconds) {
      return static_cast<double>(nanoseconds.load(std::memory_order_relaxed)) / 1e9;
    };
    stages.push_back({kStageNames[i], seconds(g_stages[i].wall_nanoseconds),
                      seconds(g_stages[i].cpu_nanoseconds)});
  }
  return stages;
}

StageTimer::StageTimer(Stage stage) : outer_(t_stage_clock.stage) {
  t_stage_clock.turn_to(static_cast<int>(stage));
}

StageTimer::~StageTimer() { t_stage_clock.turn_to(outer_); }

void add_spilled_bytes(uint64_t bytes) {
  g_spilled_bytes.fetch_add(bytes, std::memory_order_relaxed);
}

uint64_t run_spilled_bytes() { return g_spilled_bytes.load(std::memory_order_relaxed); }

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
