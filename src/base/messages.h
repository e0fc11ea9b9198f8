#pragma once

#include <string_view>

#include <fmt/format.h>

namespace tapeworks {

/// Lines for the person at the terminal, on stderr; results never go here. `--quiet` keeps only
/// errors. Threads: any.
void set_quiet(bool quiet);
bool is_quiet();
void warn_line(std::string_view line);
void announce_line(std::string_view line);
void note_line(std::string_view line);

/// While one lives there are no warnings: of work done again to be compared, which has none that
/// were not said the first time. One at a time.
class MutedWarnings {
 public:
  MutedWarnings();
  MutedWarnings(const MutedWarnings&) = delete;
  MutedWarnings& operator=(const MutedWarnings&) = delete;
  ~MutedWarnings();
};

template <typename... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  warn_line(fmt::format(format, std::forward<Args>(args)...));
}

/// What a log should hold as well, such as the cost of something: only --quiet keeps it away.
template <typename... Args>
void announce(fmt::format_string<Args...> format, Args&&... args) {
  announce_line(fmt::format(format, std::forward<Args>(args)...));
}

/// What a command did; stays away with --quiet and when stderr is no terminal.
template <typename... Args>
void note(fmt::format_string<Args...> format, Args&&... args) {
  note_line(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace tapeworks
