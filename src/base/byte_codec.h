#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace tapeworks {

// Numbers and texts one after the other, for the small files that the program keeps for itself, and
// for Thrift's compact protocol, whose numbers are the signed varints. Two families: put() and
// take() with fixed widths, little-endian, and put_varint() and take_varint() with 7 bits a byte,
// lowest first, the high bit set on all bytes but the last.
static_assert(std::endian::native == std::endian::little, "put() and take() copy numbers as is");

/// Appends to a buffer of its own.
class ByteWriter {
 public:
  template <typename Number>
    requires std::is_arithmetic_v<Number>
  void put(Number number) {
    bytes_.append(reinterpret_cast<const char*>(&number), sizeof number);
  }
  /// Its length in 32 bits, then its bytes.
  void put(std::string_view text) {
    put(static_cast<uint32_t>(text.size()));
    bytes_ += text;
  }

  void put_varint(uint64_t number) {
    for (; number >= 0x80; number >>= 7) bytes_ += static_cast<char>(number | 0x80);
    bytes_ += static_cast<char>(number);
  }
  /// Zigzag: 0, -1, 1, -2 are 0, 1, 2, 3.
  void put_signed_varint(int64_t number) {
    put_varint((static_cast<uint64_t>(number) << 1) ^ static_cast<uint64_t>(number >> 63));
  }
  /// Its length as a varint, then its bytes.
  void put_varint_text(std::string_view text) {
    put_varint(text.size());
    bytes_ += text;
  }

  /// The bytes alone.
  void put_raw(std::string_view bytes) { bytes_ += bytes; }

  /// Room for so many bytes in all: a large buffer is not copied while it grows.
  void reserve(size_t byte_count) { bytes_.reserve(byte_count); }
  /// Another number in place of what was put at `offset`.
  template <typename Number>
    requires std::is_arithmetic_v<Number>
  void replace(size_t offset, Number number) {
    std::memcpy(bytes_.data() + offset, &number, sizeof number);
  }

  const std::string& bytes() const { return bytes_; }
  std::string take() && { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// Takes what a ByteWriter put, or has the same form. After the end, a count that cannot be, or a
/// varint that no writer makes (too long or padded), everything is zero or empty and ok() is false;
/// so a reader may look at ok() once, behind its last take. The bytes must outlive the reader.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  template <typename Number>
    requires std::is_arithmetic_v<Number>
  Number take() {
    Number number{};
    if (bytes_.size() < sizeof number) {
      fail();
      return number;
    }
    bytes_.copy(reinterpret_cast<char*>(&number), sizeof number);
    bytes_.remove_prefix(sizeof number);
    return number;
  }
  bool take_flag() { return take<uint8_t>() != 0; }
  std::string take_text() { return take_raw(take<uint32_t>()); }
  /// How many things follow, of at least `bytes_min` bytes each.
  size_t take_count(size_t bytes_min) { return checked_count(take<uint32_t>(), bytes_min); }

  uint64_t take_varint() {
    uint64_t number = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (bytes_.empty()) break;
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      const bool overflows = shift == 63 && byte > 1;
      const bool is_padded = shift != 0 && byte == 0;
      if (overflows || is_padded) break;
      number |= uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return number;
    }
    return fail();
  }
  int64_t take_signed_varint() {
    const uint64_t number = take_varint();
    return static_cast<int64_t>(number >> 1) ^ -static_cast<int64_t>(number & 1);
  }
  uint64_t take_varint_below(uint64_t bound) {
    const uint64_t number = take_varint();
    return number < bound ? number : fail();
  }
  std::string take_varint_text() { return take_raw(take_varint()); }
  /// As take_count().
  size_t take_varint_count(size_t bytes_min) { return checked_count(take_varint(), bytes_min); }

  bool ok() const { return ok_; }
  bool at_end() const { return bytes_.empty(); }
  /// Bytes that were not taken yet; 0 when not ok().
  size_t left() const { return bytes_.size(); }

 private:
  uint64_t fail() {
    ok_ = false;
    bytes_ = {};
    return 0;
  }
  size_t checked_count(uint64_t count, size_t bytes_min) {
    return count <= bytes_.size() / bytes_min ? count : fail();
  }
  std::string take_raw(uint64_t byte_count) {
    if (bytes_.size() < byte_count) {
      fail();
      return {};
    }
    std::string bytes(bytes_.substr(0, byte_count));
    bytes_.remove_prefix(byte_count);
    return bytes;
  }

  std::string_view bytes_;
  bool ok_ = true;
};

}  // namespace tapeworks
