#include "base/printable_text.h"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/utf8.h"

namespace tapeworks {
namespace {

/// U+0080 to U+009F: control characters beyond ASCII.
bool is_control(std::string_view character) {
  return character.size() == 2 && character[0] == '\xc2' &&
         static_cast<uint8_t>(character[1]) < 0xa0;
}

}  // namespace

std::string printable_text(std::string_view text, size_t bytes_max) {
  std::string result;
  size_t at = 0;
  while (at < text.size() && at < bytes_max) {
    const auto byte = static_cast<uint8_t>(text[at]);
    const size_t length = byte < 0x80 ? 0 : utf8_character_bytes(text.substr(at));
    if (const auto character = text.substr(at, length); length > 0 && !is_control(character)) {
      result += character;
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

std::string first_names(std::span<const std::string> names) {
  constexpr size_t kNamedMax = 5;
  const auto named = names.first(std::min(names.size(), kNamedMax));
  return fmt::format("{}{}", fmt::join(named, ", "), names.size() > kNamedMax ? ", ..." : "");
}

}  // namespace tapeworks
