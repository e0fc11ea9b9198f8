#pragma once

#include <array>
#include <cstdint>

namespace tapeworks::recorder {

/// What the connections of one leg have done.
struct LegCounts {
  uint64_t messages = 0;  ///< stored in the log
  uint64_t connects = 0;  ///< connections that became usable
  uint64_t lost = 0;      ///< of those, ended without our wish
};
using LegPairCounts = std::array<LegCounts, 2>;

}  // namespace tapeworks::recorder
