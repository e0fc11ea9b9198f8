#include "pipeline/price_ladder.h"

#include <fmt/format.h>

namespace tapeworks {
namespace {

/// From a price on, the distance to the next one.
struct Step {
  uint32_t first_level;
  uint32_t first_cents;
  uint32_t tick_cents;
};
constexpr Step kSteps[] = {{0, 0, 1},         {1000, 1000, 5},    {1800, 5000, 10},
                           {2300, 10000, 50}, {3100, 50000, 100}, {3600, 100000, 500}};

}  // namespace

uint32_t cents_of_level(uint32_t level) {
  const Step* step = kSteps;
  for (const Step& candidate : kSteps) {
    if (candidate.first_level <= level) step = &candidate;
  }
  return step->first_cents + (level - step->first_level) * step->tick_cents;
}

uint32_t level_of_cents(uint32_t cents) {
  const Step* step = kSteps;
  for (const Step& candidate : kSteps) {
    if (candidate.first_cents <= cents) step = &candidate;
  }
  return step->first_level + (cents - step->first_cents) / step->tick_cents;
}

std::string text_of_level(uint32_t level) {
  const uint32_t cents = cents_of_level(level);
  if (cents < 100000) return fmt::format("{}.{:02}", cents / 100, cents % 100);
  return fmt::format("{},{:03}.{:02}", cents / 100000, cents / 100 % 1000, cents % 100);
}

}  // namespace tapeworks
