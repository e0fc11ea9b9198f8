#pragma once

#include <cstdint>
#include <string>

namespace tapeworks {

// The prices at which a stock may trade form a ladder whose steps (ticks) grow with the price, as
// at the Taiwan exchange. A price level is an index into that ladder; level 0 is the price 0.

/// More levels than any generated price has.
inline constexpr uint32_t kPriceLevelCount = 5400;

/// The price of a level in cents.
uint32_t cents_of_level(uint32_t level);

/// The highest level that is not above `cents`.
uint32_t level_of_cents(uint32_t cents);

/// As the vendor writes it: "1,234.50".
std::string text_of_level(uint32_t level);

}  // namespace tapeworks
