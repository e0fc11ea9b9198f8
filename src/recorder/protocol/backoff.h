#pragma once

#include <algorithm>
#include <cstdint>

#include "recorder/protocol/rate_window.h"

namespace tapeworks::recorder {

/// How long to wait after `times` failures before the last one: first x 2^times, at most `most`.
inline SteadyTime doubled(SteadyTime first, int times, SteadyTime most) {
  constexpr int kDoublingsMax = 16;
  return std::min(first * (int64_t{1} << std::clamp(times, 0, kDoublingsMax)), most);
}

}  // namespace tapeworks::recorder
