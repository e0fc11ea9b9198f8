#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tapeworks {

inline constexpr uint64_t kKiB = 1024;
inline constexpr uint64_t kMiB = 1024 * kKiB;
inline constexpr uint64_t kGiB = 1024 * kMiB;

/// Parses a size written with its unit: B, KiB, MiB, GiB, TiB, or kB, KB, MB, GB, TB in powers of
/// ten; decimals are allowed ("1.5GiB"). A bare number is refused, because its unit would be a
/// guess.
Result<uint64_t> parse_byte_size(std::string_view text);

/// "1.50 GiB".
std::string format_byte_size(uint64_t bytes);

/// Parses a duration written with its unit: ms, s, m, h, d ("90s", "1.5h").
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

}  // namespace tapeworks
