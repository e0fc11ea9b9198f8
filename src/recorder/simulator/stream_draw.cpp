#include "recorder/simulator/stream_draw.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace tapeworks::simulator {

void StreamDraw::add(uint32_t symbol_index) {
  const size_t last = std::max<size_t>(symbol_count_, 2) - 1;
  const double place =
      static_cast<double>(std::min<size_t>(symbol_index, last)) / static_cast<double>(last);
  const double before = weights_until_.empty() ? 0 : weights_until_.back();
  weights_until_.push_back(before + std::pow(static_cast<double>(activity_range_), -place));
}

size_t StreamDraw::next() {
  const double drawn = unit_interval(random_bits(seed_, ++draw_count_)) * weights_until_.back();
  const auto found = std::ranges::upper_bound(weights_until_, drawn);
  // The product may round up to the last sum.
  return std::min(static_cast<size_t>(found - weights_until_.begin()), size() - 1);
}

}  // namespace tapeworks::simulator
