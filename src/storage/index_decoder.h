#pragma once

#include <cstdint>
#include <span>

namespace tapeworks {

/// Decodes Parquet's hybrid of run-length and bit-packed runs, the encoding of dictionary indices.
///
///   stream := (run-length run | bit-packed run)*
///   run-length run := varint(count << 1), the value in ceil(bit_width / 8) bytes, little-endian
///   bit-packed run := varint(groups << 1 | 1), groups x 8 values of bit_width bits each,
///                     from the least significant bit on
///
/// Source: the Parquet format's Encodings page, "RLE / Bit-Packing Hybrid". Malformed input makes
/// decode() answer false; nothing is read outside the given bytes.
class IndexDecoder {
 public:
  IndexDecoder() = default;
  /// `bytes` must outlive the decoder. bit_width at most 32.
  IndexDecoder(std::span<const uint8_t> bytes, int bit_width)
      : at_(bytes.data()), end_(bytes.data() + bytes.size()), bit_width_(bit_width) {}

  /// The next values.size() values; false when the stream ends before, or is malformed.
  [[nodiscard]] bool decode(std::span<int32_t> values);

  /// The same, and the largest of them (as unsigned numbers) into `largest` if it is larger.
  [[nodiscard]] bool decode(std::span<int32_t> values, uint32_t& largest);

  /// Whether a packed run claimed more bytes than the stream has. Its values up to there were given
  /// all the same, because some writers leave bytes away that no value needs.
  bool is_cut_short() const { return is_cut_short_; }

  /// Whether the stream, from its beginning, starts with one run of at least `count` times `value`.
  /// Reads nothing away.
  bool starts_with_run(int32_t value, uint64_t count) const {
    IndexDecoder probe = *this;
    return probe.next_run() && probe.repeat_count_ >= count && probe.repeated_value_ == value;
  }

 private:
  bool next_run();
  /// The next packed values of the current run; there are that many.
  void unpack(std::span<int32_t> values);
  void unpack_some(std::span<int32_t> values);

  const uint8_t* at_ = nullptr;
  const uint8_t* end_ = nullptr;
  int bit_width_ = 0;

  uint64_t repeat_count_ = 0;
  int32_t repeated_value_ = 0;

  uint64_t packed_count_ = 0;
  const uint8_t* packed_ = nullptr;
  uint64_t packed_bytes_ = 0;
  uint64_t packed_bit_ = 0;
  bool is_cut_short_ = false;
};

}  // namespace tapeworks
