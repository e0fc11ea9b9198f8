#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "base/result.h"
#include "storage/memory_budget.h"

namespace tapeworks {

/// --memory, --threads, --temp-dir: on every command that processes data.
struct WorkOptions {
  std::string memory;              ///< as written, with its unit; empty means the default
  size_t threads = 0;              ///< 0 means all cores of the machine
  std::filesystem::path temp_dir;  ///< empty means a hidden folder beside the data directory

  void describe(CLI::App& app);
  /// --threads and --temp-dir alone, for a command whose --memory has limits of its own.
  void describe_without_memory(CLI::App& app);
  /// kInvalidArgument for a size without unit or below the minimum, and as check_temp_dir().
  Status check() const;
  /// kInvalidArgument for what is no folder that can be written.
  Status check_temp_dir() const;
  Result<std::unique_ptr<MemoryBudget>> make_budget() const;
  size_t thread_count() const;
};

/// --data, on every command that reads or writes a data directory.
struct DataOption {
  std::filesystem::path data_dir = "data";

  void describe(CLI::App& app);
};

}  // namespace tapeworks
