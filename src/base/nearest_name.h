#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tapeworks {

/// The known name that needs the fewest changed letters to become `text` (case does not count), for
/// "did you mean"; empty when none is near enough to be meant. Of equally near ones the first.
std::string nearest_name(std::string_view text, std::span<const std::string> known_names);

}  // namespace tapeworks
