#include "recorder/health.h"

#include <algorithm>

#include <fmt/format.h>

namespace tapeworks::recorder {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;

}  // namespace

std::optional<std::string> find_trouble(const HealthReading& reading, int64_t limit_ns) {
  if (reading.is_disk_full) {
    return "the disk is full and no feed runs; free some space, and recording goes on";
  }
  const auto age_ns = [&](int64_t time_ns) {
    return reading.now_ns - std::max(time_ns, reading.began_ns);
  };
  if (const int64_t age = age_ns(reading.last_record_durable_ns); age > limit_ns) {
    return fmt::format(
        "nothing was made durable for {} s, not even heartbeats; look at the disk of the log",
        age / kSecondNs);
  }
  if (const int64_t age = age_ns(reading.last_message_durable_ns); age > limit_ns) {
    return fmt::format(
        "no message of an exchange was made durable for {} s; look at the connections",
        age / kSecondNs);
  }
  return std::nullopt;
}

}  // namespace tapeworks::recorder
