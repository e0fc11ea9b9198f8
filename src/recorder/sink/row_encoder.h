#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace tapeworks::recorder {

/// Packs one row of a table: a word that says which columns have a value, then those values in the
/// order of the columns. Numbers are little-endian, of 4 bytes for kInt32 and kUint32 and of 8 for
/// all others; texts and bytes have their length (u32) in front. The call for each column must suit
/// its type; RowBuffer takes the result.
///
/// Memory: one row, kept for the next. Threads: one.
class RowEncoder {
 public:
  RowEncoder() { begin(); }

  void begin() {
    bytes_.assign(sizeof present_, std::byte{0});
    present_ = 0;
    column_ = 0;
  }

  void null() { ++column_; }
  void put(uint64_t value) { put_bits(value); }
  void put(int64_t value) { put_bits(value); }
  void put(int32_t value) { put_bits(value); }
  void put(uint32_t value) { put_bits(value); }
  void put(double value) { put_bits(value); }
  void put(std::string_view text) {
    put_bits(static_cast<uint32_t>(text.size()));
    append(text.data(), text.size());
  }
  template <typename Value>
  void put(const std::optional<Value>& value) {
    if (value) {
      put(*value);
    } else {
      null();
    }
  }
  /// Null for an empty text.
  void put_or_null(std::string_view text) {
    if (text.empty()) {
      null();
    } else {
      put(text);
    }
  }

  /// The row, valid until the next begin().
  std::span<const std::byte> finish() {
    std::memcpy(bytes_.data(), &present_, sizeof present_);
    return bytes_;
  }
  size_t column_count() const { return column_; }

 private:
  template <typename Value>
  void put_bits(Value value) {
    present_ |= uint64_t{1} << column_;
    ++column_;
    append(&value, sizeof value);
  }
  void append(const void* from, size_t count) {
    const size_t at = bytes_.size();
    bytes_.resize(at + count);
    if (count != 0) std::memcpy(bytes_.data() + at, from, count);
  }

  std::vector<std::byte> bytes_;
  uint64_t present_ = 0;
  size_t column_ = 0;
};

}  // namespace tapeworks::recorder
