#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/lower_case.h"
#include "recorder/protocol/connection.h"

namespace tapeworks::recorder {

// Scripts of times and inputs for the machines.

inline Now at(SteadyTime steady) {
  return {steady, 1'700'000'000 + std::chrono::duration_cast<std::chrono::seconds>(steady).count()};
}

inline Frame text_frame(std::string_view payload) { return {.payload = payload}; }

inline std::vector<StreamKey> keys_of(std::initializer_list<const char*> symbols,
                                      std::initializer_list<Stream> streams) {
  std::vector<StreamKey> keys;
  for (const char* symbol : symbols) {
    for (const Stream stream : streams) keys.push_back({stream, symbol});
  }
  return keys;
}

/// The texts of the actions of one kind.
inline std::vector<std::string> texts_of(const Reaction& reaction, Action::Kind kind) {
  std::vector<std::string> texts;
  for (const Action& action : reaction.actions) {
    if (action.kind == kind) texts.push_back(action.text);
  }
  return texts;
}

inline size_t count_of(const Reaction& reaction, Notice::Kind kind) {
  return static_cast<size_t>(std::ranges::count(reaction.notices, kind, &Notice::kind));
}

inline std::vector<std::string> symbols_of(const Reaction& reaction, Notice::Kind kind) {
  std::vector<std::string> symbols;
  for (const Notice& notice : reaction.notices) {
    if (notice.kind == kind) symbols.push_back(notice.key.symbol);
  }
  return symbols;
}

/// Lets time pass up to `until`, calling on_time() whenever it is due.
template <typename Machine>
void pass(Machine& machine, SteadyTime from, SteadyTime until, Reaction& out) {
  SteadyTime now = from;
  while (const auto due = machine.deadline()) {
    now = std::max(now, *due);
    if (now > until) break;
    machine.on_time(at(now), out);
    // A machine that is due again at once and does nothing would never end.
    if (machine.deadline() && *machine.deadline() <= now) now += std::chrono::milliseconds(1);
  }
}

inline std::string binance_trade(std::string_view symbol, int64_t id) {
  return fmt::format(
      R"({{"stream":"{}@trade","data":{{"e":"trade","E":1771263510064,"T":1771263510064,)"
      R"("s":"{}","t":{},"p":"1","q":"1","m":true}}}})",
      lower_case(symbol), symbol, id);
}

}  // namespace tapeworks::recorder
