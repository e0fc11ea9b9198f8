#pragma once

namespace tapeworks {

/// The whole program: parses the command line, runs the command, prints what is to be printed.
/// Returns the exit code of cli.md's table (docs/commands/README.md). Throws only what the standard
/// library throws; main catches that.
int run_program(int argc, const char* const* argv);

}  // namespace tapeworks
