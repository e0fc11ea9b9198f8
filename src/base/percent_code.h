#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tapeworks {

// The code of URIs for characters that mean something there.

/// "%41" is "A"; nothing where a percent sign begins no such code. A plus stays a plus.
std::optional<std::string> percent_decoded(std::string_view text);

/// All but letters, digits and "-._~" as %XX.
std::string percent_encoded(std::string_view text);

}  // namespace tapeworks
