#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/result.h"
#include "recorder/config/recorder_config.h"

namespace tapeworks {

/// --config and --set: what the recorder is configured with.
struct RecorderOptions {
  std::filesystem::path path;
  std::vector<std::string> settings;

  void describe(CLI::App& app);
  /// File, environment and settings. kInvalidArgument for what is wrong in any of them.
  Result<recorder::RecorderConfig> read() const;
  /// The key of Binance's SBE streams, which is in the environment only; empty without one.
  static std::string api_key();
};

}  // namespace tapeworks
