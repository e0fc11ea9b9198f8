#pragma once

#include <charconv>
#include <cstdint>
#include <string>

#include <fmt/format.h>

#include <CLI/CLI.hpp>

namespace tapeworks {

/// For an option whose number has no upper limit but that of its type. CLI11 itself takes "-1" for
/// the largest number where the variable is unsigned, and numbers that are too large for the
/// largest.
inline CLI::Validator at_least(int64_t smallest) {
  return {[smallest](const std::string& text) {
            int64_t number = 0;
            const char* const end = text.data() + text.size();
            const auto [stopped, error] = std::from_chars(text.data(), end, number);
            if (error == std::errc() && stopped == end && number >= smallest) return std::string();
            return fmt::format("'{}' is no whole number from {} on", text, smallest);
          },
          ""};
}

}  // namespace tapeworks
