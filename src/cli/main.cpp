#include <csignal>
#include <cstdio>
#include <exception>
#include <new>

#include "base/interrupt.h"
#include "cli/program.h"

int main(int argc, char** argv) {
  tapeworks::install_interrupt_handler();
  // A closed pipe is an answer of write(), not a reason to die in the middle of something.
  std::signal(SIGPIPE, SIG_IGN);
  constexpr int kExitMachineFailed = 4;
  try {
    return tapeworks::run_program(argc, argv);
  } catch (const std::bad_alloc&) {
    std::fputs("tapeworks: the system has no memory left; try a smaller --memory\n", stderr);
  } catch (const std::exception& exception) {
    std::fprintf(stderr, "tapeworks: internal error: %s\n", exception.what());
  }
  return kExitMachineFailed;
}
