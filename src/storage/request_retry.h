#pragma once

#include <chrono>
#include <cstdint>

#include "base/result.h"

namespace tapeworks {

// How requests to a store or a service are made again that failed on their way. Threads: any.

/// How long: TAPEWORKS_STORE_PATIENCE, or 30 s. kInvalidArgument when that is no duration.
Result<std::chrono::milliseconds> request_patience();

/// The pause after an attempt, counted from 0: 0.1 s, doubling to 3.2 s.
std::chrono::milliseconds pause_after(int64_t attempt);

/// All pauses up to the one after `attempt` fit in `patience`.
bool is_worth_another_attempt(int64_t attempt, std::chrono::milliseconds patience);

}  // namespace tapeworks
