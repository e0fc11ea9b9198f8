#include "storage/index_encoder.h"

#include <array>

#include "storage/varint.h"

namespace tapeworks {
namespace {

constexpr size_t kGroupValues = 8;

uint8_t* put_run(uint8_t* out, size_t count, int32_t value, int bit_width) {
  out = put_varint(out, uint64_t{count} << 1);
  for (int shift = 0; shift < bit_width; shift += 8) {
    *out++ = static_cast<uint8_t>(static_cast<uint32_t>(value) >> shift);
  }
  return out;
}

/// The last group is filled up with zeros.
uint8_t* put_packed(uint8_t* out, std::span<const int32_t> values, int bit_width) {
  if (values.empty()) return out;
  const size_t groups = (values.size() + kGroupValues - 1) / kGroupValues;
  out = put_varint(out, uint64_t{groups} << 1 | 1);
  uint64_t bits = 0;
  int bit_count = 0;
  for (size_t i = 0; i < groups * kGroupValues; ++i) {
    const uint64_t value = i < values.size() ? static_cast<uint32_t>(values[i]) : 0;
    bits |= value << bit_count;
    bit_count += bit_width;
    for (; bit_count >= 8; bit_count -= 8, bits >>= 8) *out++ = static_cast<uint8_t>(bits);
  }
  return out;
}

}  // namespace

size_t encoded_indices_bytes_max(size_t value_count, int bit_width) {
  const size_t groups = value_count / kGroupValues + 1;
  return groups * (static_cast<size_t>(bit_width) + 12) + 16;
}

uint8_t* encode_indices(std::span<const int32_t> values, int bit_width, uint8_t* out) {
  size_t packed_begin = 0;
  size_t at = 0;
  while (at < values.size()) {
    size_t run_end = at + 1;
    while (run_end < values.size() && values[run_end] == values[at]) ++run_end;
    // The values that complete the last packed group cannot be part of the run.
    const size_t packed = at - packed_begin;
    const size_t missing = (kGroupValues - packed % kGroupValues) % kGroupValues;
    if (run_end - at >= missing + kGroupValues) {
      const size_t run_begin = at + missing;
      out = put_packed(out, values.subspan(packed_begin, run_begin - packed_begin), bit_width);
      out = put_run(out, run_end - run_begin, values[at], bit_width);
      packed_begin = run_end;
    }
    at = run_end;
  }
  return put_packed(out, values.subspan(packed_begin), bit_width);
}

uint8_t* encode_equal_indices(int32_t value, size_t count, int bit_width, uint8_t* out) {
  if (count >= kGroupValues) return put_run(out, count, value, bit_width);
  std::array<int32_t, kGroupValues> values;
  values.fill(value);
  return put_packed(out, std::span(values).first(count), bit_width);
}

}  // namespace tapeworks
