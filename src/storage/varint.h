#pragma once

#include <cstdint>

namespace tapeworks {

/// Writes an unsigned LEB128 integer (Parquet's ULEB128) and returns its end; up to 10 bytes.
inline uint8_t* put_varint(uint8_t* out, uint64_t value) {
  while (value >= 0x80) {
    *out++ = static_cast<uint8_t>(value | 0x80);
    value >>= 7;
  }
  *out++ = static_cast<uint8_t>(value);
  return out;
}

}  // namespace tapeworks
