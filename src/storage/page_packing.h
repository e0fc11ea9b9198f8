#pragma once

#include <cstdint>

namespace tapeworks {

/// What the pages of a file are made for.
enum class PagePacking : uint8_t {
  kSmall,  ///< files that are kept: an encoding for each type, and zstd
  kFast,   ///< files that are read once and soon: numbers PLAIN, nothing compressed
};

}  // namespace tapeworks
