#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/result.h"

namespace tapeworks::recorder {

struct SimulationCounts {
  // What was drawn:
  uint64_t legs = 1;
  std::string layout;
  // What happened:
  uint64_t messages = 0;  ///< handed to the recorder by the network
  uint64_t durable_messages = 0;
  uint64_t crashes = 0;
  uint64_t cuts = 0;
};

/// Records from simulated exchanges over a simulated network, in virtual time and in one thread:
/// venues, symbols, legs, layout, faults of exchanges and network, and the moments at which the
/// recorder is killed and started again all follow from `seed`. The log and the files are real.
///
/// Leaves in `folder`: `out`, `log` and the `ledger.jsonl` of the exchanges, to be judged by
/// others, who find in `legs.jsonl` under which number and leg the recorder had each `connection`
/// of the ledger. What it judges itself: every message that the network handed over before the last
/// sync is in the log, with its bytes and times, once and in order, and nothing else is. Errors: a
/// promise that was broken, kInternal; and whatever the recorder says.
Result<SimulationCounts> simulate_recording(uint64_t seed, const std::filesystem::path& folder);

}  // namespace tapeworks::recorder
