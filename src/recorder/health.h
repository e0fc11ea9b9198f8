#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tapeworks::recorder {

/// What health is judged by. Times are of the monotonic clock; 0: never.
struct HealthReading {
  int64_t now_ns = 0;
  int64_t began_ns = 0;
  int64_t last_message_durable_ns = 0;
  int64_t last_record_durable_ns = 0;
  bool is_disk_full = false;  ///< so that no feed runs
};

/// Nothing when all is well; otherwise one sentence that says what is wrong. Data should always
/// come while a recorder runs, and the log gets a heartbeat each second: neither may be missing for
/// longer than `limit_ns`. A full disk is trouble at once.
std::optional<std::string> find_trouble(const HealthReading& reading, int64_t limit_ns);

}  // namespace tapeworks::recorder
