#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <string_view>

namespace tapeworks {

/// Text from a file as it may stand in a message: one line of valid UTF-8. Control characters and
/// bytes that are no UTF-8 become \xNN; more than `bytes_max` bytes are cut, and their number said.
std::string printable_text(std::string_view text,
                           size_t bytes_max = std::numeric_limits<size_t>::max());

/// The first five of some names, for a message: "a, b, c, d, e, ...".
std::string first_names(std::span<const std::string> names);

}  // namespace tapeworks
