#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/result.h"

namespace tapeworks {

/// --wal and --without-log, of commands that read a recording and its log.
struct LogOption {
  std::filesystem::path log_dir;  ///< as named, or empty
  bool is_left_out = false;

  /// `without_log` is the help of that flag. Both options, for what else is to be said of them.
  std::vector<CLI::Option*> describe(CLI::App& app, const std::string& without_log);
  Status check() const;
  /// The log that is named, or the one where the default configuration has it, if there is one;
  /// else empty. kInvalidArgument for a name that is no folder's.
  Result<std::filesystem::path> find(const std::filesystem::path& recording_dir) const;
};

}  // namespace tapeworks
