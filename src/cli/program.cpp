#include "cli/program.h"

#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/messages.h"
#include "base/nearest_name.h"
#include "base/printable_text.h"
#include "base/progress.h"
#include "base/run_stats.h"
#include "base/units.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/version.h"
#include "storage/object_store.h"

namespace tapeworks {
namespace {

constexpr int kExitUsage = 2;

/// Options that every command has, accepted before and after its name.
struct CommonOptions {
  bool quiet = false;
  bool stats = false;
  bool verbose = false;
  bool progress = false;
  bool no_progress = false;
  std::string format;

  void describe(CLI::App& app) {
    static constexpr const char* kGroup = "Common options";
    app.add_option("--format", format,
                   "How results are printed (default: table on a terminal, otherwise jsonl)")
        ->type_name("table|json|jsonl|csv|parquet")
        ->check([](const std::string& text) -> std::string {
          if (parse_output_format(text)) return {};
          return fmt::format("'{}' is none of table, json, jsonl, csv, parquet", text);
        })
        ->group(kGroup);
    app.add_flag("--quiet", quiet, "Only errors on standard error")->group(kGroup);
    app.add_flag("--stats", stats, "One JSON line on standard error at the end: rows, time, memory")
        ->group(kGroup);
    app.add_flag("--progress", progress, "Show progress even when standard error is no terminal")
        ->group(kGroup);
    app.add_flag("--no-progress", no_progress, "Never show progress")->group(kGroup);
    app.add_flag("--verbose", verbose, "Print the settings in force first and peak memory last")
        ->group(kGroup);
  }

  void apply() const {
    if (!format.empty()) set_output_format(*parse_output_format(format));
    set_quiet(quiet);
    set_progress(!no_progress && (progress || (!quiet && isatty(STDERR_FILENO) != 0)));
  }
};

/// The parser of the whole command line with a made command behind each subcommand.
struct Program {
  CLI::App app{"Broker trades into daily summaries, profit and loss, and a ranking.", "tapeworks"};
  CommonOptions common;
  bool version = false;
  bool version_as_json = false;
  std::vector<std::unique_ptr<Command>> commands;  // parallel to subcommands
  std::vector<CLI::App*> subcommands;

  Program() {
    app.set_help_flag("--help,-h", "Print this help and exit");
    app.require_subcommand(0, 1);
    app.get_formatter()->column_width(34);
    app.add_flag("--version", version, "Print the version and exit");
    app.add_flag("--json", version_as_json, "With --version: as JSON");
    common.describe(app);
    for (const CommandEntry& entry : command_list()) {
      CLI::App* subcommand = app.add_subcommand(entry.name, entry.summary);
      commands.push_back(entry.make());
      commands.back()->describe(*subcommand);
      common.describe(*subcommand);
      subcommands.push_back(subcommand);
    }
    app.footer("tapeworks COMMAND --help explains a command.");
  }

  /// The index of the command that was named, if any.
  std::optional<size_t> chosen() const {
    for (size_t i = 0; i < subcommands.size(); ++i) {
      if (subcommands[i]->parsed()) return i;
    }
    return std::nullopt;
  }
};

void print_error(std::string_view command, std::string_view message) {
  const std::string line = fmt::format("tapeworks{}{}: {}\n", command.empty() ? "" : " ", command,
                                       printable_text(message));
  std::fwrite(line.data(), 1, line.size(), stderr);
}

/// What the user may have meant instead of an argument that nobody expects.
std::string explain_unexpected(const CLI::App& app, bool is_root, const std::string& argument) {
  std::vector<std::string> known;
  if (argument.starts_with("-")) {
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    }
  } else if (is_root) {
    for (const CommandEntry& entry : command_list()) known.emplace_back(entry.name);
  }
  const std::string what = argument.starts_with("-") ? "option" : is_root ? "command" : "argument";
  const std::string nearest = nearest_name(argument.substr(0, argument.find('=')), known);
  return nearest.empty()
             ? fmt::format("unknown {} '{}'", what, argument)
             : fmt::format("unknown {} '{}'; did you mean {}?", what, argument, nearest);
}

int report_usage_error(const Program& program, const CLI::ParseError& error) {
  const auto chosen = program.chosen();
  const CLI::App& app = chosen ? *program.subcommands[*chosen] : program.app;
  const std::string command = chosen ? app.get_name() : "";
  std::string message = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    // A stray argument before the command belongs to the program, one after it to the command.
    const auto before = program.app.remaining();
    const auto remaining = app.remaining();
    if (!before.empty()) {
      message = explain_unexpected(program.app, true, before.front());
    } else if (!remaining.empty()) {
      message = explain_unexpected(app, false, remaining.front());
    }
  }
  std::ranges::replace(message, '\n', ' ');
  print_error(command, fmt::format("{} (see tapeworks{}{} --help)", message,
                                   command.empty() ? "" : " ", command));
  return kExitUsage;
}

int report_error(std::string_view command, const Error& error) {
  print_error(command, error.message);
  return exit_code(error.kind);
}

double cpu_seconds() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void print_stats(std::string_view command, double wall_seconds) {
  const uint64_t rows = run_rows();
  nlohmann::ordered_json phases = nlohmann::ordered_json::array();
  for (const PhaseStats& phase : run_phases()) {
    phases.push_back(
        {{"name", phase.name}, {"wall_seconds", phase.wall_seconds}, {"rows", phase.rows}});
  }
  nlohmann::ordered_json stages = nlohmann::ordered_json::array();
  for (const StageStats& stage : run_stages()) {
    if (stage.wall_seconds == 0) continue;
    stages.push_back({{"name", stage.name},
                      {"wall_seconds", stage.wall_seconds},
                      {"cpu_seconds", stage.cpu_seconds}});
  }
  const nlohmann::ordered_json stats{
      {"command", command},
      {"rows", rows},
      {"rows_per_second", wall_seconds > 0 ? static_cast<double>(rows) / wall_seconds : 0.0},
      {"wall_seconds", wall_seconds},
      {"cpu_seconds", cpu_seconds()},
      {"peak_memory_bytes", peak_resident_bytes()},
      {"spilled_bytes", run_spilled_bytes()},
      {"phases", std::move(phases)},
      {"stages", std::move(stages)}};
  const std::string line = stats.dump() + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

int run_command(std::string_view name, Command& command) {
  if (const auto checked = command.check(); !checked) return report_error(name, checked.error());
  const auto result = command.run();
  return result ? *result : report_error(name, result.error());
}

int print_and_exit(std::string_view text) {
  const auto printed = print_text(text);
  return printed ? 0 : report_error("", printed.error());
}

}  // namespace

int run_program(int argc, const char* const* argv) {
  const auto begin = std::chrono::steady_clock::now();
  Program program;
  try {
    program.app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    const auto chosen = program.chosen();
    return print_and_exit(chosen ? program.subcommands[*chosen]->help("tapeworks")
                                 : program.app.help());
  } catch (const CLI::ParseError& error) {
    return report_usage_error(program, error);
  }
  if (program.version)
    return print_and_exit(program.version_as_json ? version_json() : version_text());
  const auto chosen = program.chosen();
  if (!chosen) return print_and_exit(program.app.help());

  program.common.apply();
  CLI::App& subcommand = *program.subcommands[*chosen];
  if (program.common.verbose) {
    fmt::print(stderr, "tapeworks {}\n{}", subcommand.get_name(),
               subcommand.config_to_str(true, false));
  }
  const int code = run_command(subcommand.get_name(), *program.commands[*chosen]);
  close_object_stores();
  if (program.common.verbose) {
    fmt::print(stderr, "peak memory {}\n", format_byte_size(peak_resident_bytes()));
  }
  if (program.common.stats) {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    print_stats(subcommand.get_name(), elapsed.count());
  }
  return code;
}

}  // namespace tapeworks
