#pragma once

#include <string>

namespace tapeworks {

/// One line: version, commit, Arrow's version, and the SIMD level chosen on this machine.
std::string version_text();
/// The same as one JSON object on one line.
std::string version_json();

}  // namespace tapeworks
