#include "recorder/recorder_monitor.h"

#include <filesystem>
#include <utility>

#include "base/messages.h"
#include "recorder/health.h"

namespace tapeworks::recorder {
namespace {

using namespace std::chrono_literals;

/// A year's log is a folder of thousands of files.
constexpr auto kDiskCheckInterval = 10s;

/// 0 where the system does not say.
uint64_t free_bytes(const std::filesystem::path& folder) {
  std::error_code error;
  const auto space = std::filesystem::space(folder, error);
  return error ? 0 : space.available;
}

uint64_t folder_bytes(const std::filesystem::path& folder) {
  uint64_t bytes = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    std::error_code gone;  // removed or renamed meanwhile
    const auto size = at->file_size(gone);
    if (!gone) bytes += size;
  }
  return bytes;
}

}  // namespace

void RecorderMonitor::start(std::function<RecorderStatus()> status) {
  if (!server_) return;
  const net::ClockReading now = net::read_clocks();
  began_ns_ = now.monotonic_ns;
  start_time_seconds_ = static_cast<double>(now.wall_ns) / 1e9;
  server_->serve({[this, status = std::move(status)] { return metrics(status()); },
                  [this] { return trouble(); }});
  meter_.start();
  note("metrics and health are served on port {}", server_->port());
}

void RecorderMonitor::stop() {
  server_.reset();
  meter_.stop();
}

std::optional<std::string> RecorderMonitor::trouble() const {
  const DurabilityMeter::Reading durability = meter_.read();
  return find_trouble(
      {net::read_clocks().monotonic_ns, began_ns_, durability.last_message_durable_ns,
       durability.last_record_durable_ns, disk_.is_full()},
      std::chrono::nanoseconds(options_.config.metrics.unhealthy_after).count());
}

void RecorderMonitor::measure_disks() {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_disk_check_) return;
  next_disk_check_ = now + kDiskCheckInterval;
  disks_.log_bytes = folder_bytes(options_.config.wal.dir);
  disks_.log_free_bytes = free_bytes(options_.config.wal.dir);
  disks_.output_free_bytes = free_bytes(options_.config.output.dir);
}

std::string RecorderMonitor::metrics(const RecorderStatus& status) {
  measure_disks();
  MetricsReading reading = disks_;
  reading.version = options_.version;
  reading.start_time_seconds = start_time_seconds_;
  reading.is_healthy = !trouble();
  reading.durability = meter_.read();
  reading.memory_limit_bytes = options_.memory_limit_bytes;
  return render_metrics(status, reading);
}

}  // namespace tapeworks::recorder
