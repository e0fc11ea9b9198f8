#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tapeworks {

/// Bytes that encode_indices() writes at the most.
size_t encoded_indices_bytes_max(size_t value_count, int bit_width);

/// Encodes values as Parquet's hybrid of run-length and bit-packed runs, which IndexDecoder reads:
/// eight or more equal values become a run-length run, the others bit-packed ones. Values must fit
/// in `bit_width` bits (1 to 32). Returns the end of what was written to `out`.
///
/// Source: the Parquet format's Encodings page, "RLE / Bit-Packing Hybrid".
uint8_t* encode_indices(std::span<const int32_t> values, int bit_width, uint8_t* out);

/// The same bytes for `count` times the same value.
uint8_t* encode_equal_indices(int32_t value, size_t count, int bit_width, uint8_t* out);

}  // namespace tapeworks
