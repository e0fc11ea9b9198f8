#pragma once

#include <string>

#include "base/result.h"

namespace tapeworks::recorder {

/// Lets the whole process keep the time of a script (net/clock_script.h), for tests, and says so on
/// standard error. `clock` is "script:FILE". Before anything reads a clock.
Status use_test_clock(const std::string& clock);

}  // namespace tapeworks::recorder
