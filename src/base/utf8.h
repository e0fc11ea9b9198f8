#pragma once

#include <cstddef>
#include <string_view>

namespace tapeworks {

/// Bytes of the well-formed character at the beginning of `text`, which is not empty; 0 when there
/// is none (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
size_t utf8_character_bytes(std::string_view text);

/// The text consists of well-formed characters only.
bool is_utf8(std::string_view text);

}  // namespace tapeworks
