#include "base/printable_text.h"

#include <bit>
#include <cstdint>

#include <fmt/format.h>

namespace tapeworks {
namespace {

/// Bytes of the well-formed character of several bytes at the beginning of `text`; 0 when there is
/// none (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
size_t character_bytes(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const auto length = static_cast<size_t>(std::countl_one(byte(0)));
  if (length < 2 || length > 4 || length > text.size()) return 0;
  uint32_t code = byte(0) & (0x7fU >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3fU);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  // U+0080 to U+009F are control characters as well.
  return code < kLeast[length] || surrogate || code > 0x10ffff || code < 0xa0 ? 0 : length;
}

}  // namespace

std::string printable_text(std::string_view text, size_t bytes_max) {
  std::string result;
  size_t at = 0;
  while (at < text.size() && at < bytes_max) {
    const auto byte = static_cast<uint8_t>(text[at]);
    const size_t length = byte < 0x80 ? 0 : character_bytes(text.substr(at));
    if (length > 0) {
      result += text.substr(at, length);
      at += length;
    } else {
      if (byte < 0x20 || byte >= 0x7f) {
        result += fmt::format("\\x{:02x}", byte);
      } else {
        result.push_back(text[at]);
      }
      ++at;
    }
  }
  if (at < text.size()) result += fmt::format("... ({} bytes)", text.size());
  return result;
}

}  // namespace tapeworks
