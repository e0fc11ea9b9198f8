#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include <CLI/CLI.hpp>

#include "base/result.h"
#include "storage/memory_budget.h"

namespace tapeworks {

/// One subcommand. Parsing does no work, and work does no parsing: describe() binds options to
/// members, check() refuses what can be refused without touching data, run() does the work.
class Command {
 public:
  virtual ~Command() = default;

  /// Adds the options and arguments of this command.
  virtual void describe(CLI::App& app) = 0;

  /// Looks at the parsed values only: kInvalidArgument for what makes no sense.
  virtual Status check() { return {}; }

  /// Returns the exit code 0 or 1 of a command that did its work; everything else is an Error.
  virtual Result<int> run() = 0;
};

/// The list of commands is data: `help` is printed from it, and a test walks over it.
struct CommandEntry {
  const char* name;
  const char* summary;
  std::unique_ptr<Command> (*make)();
};
std::span<const CommandEntry> command_list();

/// Makers of the commands, one file each (command_NAME.cpp).
std::unique_ptr<Command> make_adopt_command();
std::unique_ptr<Command> make_check_config_command();
std::unique_ptr<Command> make_check_prices_command();
std::unique_ptr<Command> make_etl_command();
std::unique_ptr<Command> make_generate_command();
std::unique_ptr<Command> make_generations_command();
std::unique_ptr<Command> make_import_bsr_command();
std::unique_ptr<Command> make_path_command();
std::unique_ptr<Command> make_plan_command();
std::unique_ptr<Command> make_pnl_command();
std::unique_ptr<Command> make_query_command();
std::unique_ptr<Command> make_ranking_command();
std::unique_ptr<Command> make_record_command();
std::unique_ptr<Command> make_replay_command();
std::unique_ptr<Command> make_rolling_command();
std::unique_ptr<Command> make_run_command();
std::unique_ptr<Command> make_simulate_exchange_command();
std::unique_ptr<Command> make_sql_command();
std::unique_ptr<Command> make_symbol_command();
std::unique_ptr<Command> make_sync_command();
std::unique_ptr<Command> make_verify_command();
std::unique_ptr<Command> make_wal_command();

}  // namespace tapeworks
