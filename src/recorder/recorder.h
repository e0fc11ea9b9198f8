#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "recorder/config/recorder_config.h"

namespace tapeworks::recorder {

struct RecordOptions {
  RecorderConfig config;
  uint64_t memory_limit_bytes = kRecorderMemoryDefaultBytes;
  std::optional<std::chrono::milliseconds> stop_after;  ///< nothing: until a signal
  std::string api_key;                                  ///< of Binance's SBE streams
  std::string version;                                  ///< of this program, for the log
  bool print_status = true;                             ///< not with --quiet
  /// Reads the configuration again, for SIGHUP; null: it cannot be changed while it runs.
  std::function<Result<RecorderConfig>()> read_config;
};

/// Records until a signal or the end of the time, then closes the sockets, makes everything durable
/// and publishes what is open.
///
/// SIGHUP has the configuration read again and its feeds exchanged; one that is wrong is said and
/// changes nothing.
/// Threads: the network on the calling one, one that writes the log, one that makes files of it.
/// Returns the exit code: 0 after an orderly end, 1 when a loss policy says so. A second signal
/// ends the process with 130. Errors: kInvalidArgument for a configuration that cannot be run; kIo
/// when the log or the output fails, after which nothing more is recorded.
Result<int> record(const RecordOptions& options);

}  // namespace tapeworks::recorder
