#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace tapeworks::recorder {

/// Numbers and texts one after the other, little-endian; for the checkpoint.
class ByteWriter {
 public:
  template <typename Number>
    requires std::is_arithmetic_v<Number>
  void put(Number number) {
    bytes_.append(reinterpret_cast<const char*>(&number), sizeof number);
  }
  void put(std::string_view text) {
    put(static_cast<uint32_t>(text.size()));
    bytes_ += text;
  }
  const std::string& bytes() const { return bytes_; }
  std::string take() && { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// Takes them back. After the end or a count that cannot be, everything is zero and ok() is false.
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
    std::memcpy(&number, bytes_.data(), sizeof number);
    bytes_.remove_prefix(sizeof number);
    return number;
  }
  bool take_flag() { return take<uint8_t>() != 0; }
  std::string take_text() {
    const auto size = take<uint32_t>();
    if (bytes_.size() < size) {
      fail();
      return {};
    }
    std::string text(bytes_.substr(0, size));
    bytes_.remove_prefix(size);
    return text;
  }
  /// How many things follow, of at least `bytes_min` bytes each.
  size_t take_count(size_t bytes_min) {
    const auto count = take<uint32_t>();
    if (count * uint64_t{bytes_min} <= bytes_.size()) return count;
    fail();
    return 0;
  }
  bool ok() const { return ok_; }
  bool at_end() const { return bytes_.empty(); }

 private:
  void fail() {
    ok_ = false;
    bytes_ = {};
  }

  std::string_view bytes_;
  bool ok_ = true;
};

}  // namespace tapeworks::recorder
