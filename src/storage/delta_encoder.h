#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tapeworks {

/// Bytes that encode_deltas() writes at the most, for values of `value_bytes` (4 or 8).
size_t encoded_deltas_bytes_max(size_t value_count, size_t value_bytes);

/// Encodes values as DELTA_BINARY_PACKED: differences to the value before, less the smallest one of
/// their block, packed in as many bits as each quarter of a block needs. A block has 128 values of
/// 4 bytes or 256 of 8; with that the bytes are those of the library's encoder. Returns the end of
/// what was written to `out`. Differences that overflow wrap, as readers expect.
///
/// Source: the Parquet format's Encodings page, "Delta Encoding (DELTA_BINARY_PACKED = 5)".
uint8_t* encode_deltas(std::span<const int32_t> values, uint8_t* out);
uint8_t* encode_deltas(std::span<const int64_t> values, uint8_t* out);

}  // namespace tapeworks
