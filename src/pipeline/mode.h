#pragma once

#include <optional>
#include <string_view>

namespace tapeworks {

/// Whose answers are given where the reference implementation is wrong: our own (kDefault), or the
/// reference's, bug for bug, in its first public state (kCompatV1) or its later one (kCompatV2).
/// docs/commands/modes.md is the table of differences.
enum class Mode { kDefault, kCompatV1, kCompatV2 };

/// The text used in the manifest, in file metadata and on the command line.
constexpr std::string_view to_string(Mode mode) {
  switch (mode) {
    case Mode::kDefault:
      return "default";
    case Mode::kCompatV1:
      return "v1";
    case Mode::kCompatV2:
      return "v2";
  }
  return "default";
}

constexpr std::optional<Mode> parse_mode(std::string_view text) {
  if (text == "default") return Mode::kDefault;
  if (text == "v1") return Mode::kCompatV1;
  if (text == "v2") return Mode::kCompatV2;
  return std::nullopt;
}

constexpr bool is_compat(Mode mode) { return mode != Mode::kDefault; }

/// The width of buy_amount, sell_amount and close_price in the files. kFloat32 also rounds each
/// price to float32 before it is multiplied, as the reference does.
enum class AmountWidth { kFloat32, kFloat64 };

constexpr std::string_view to_string(AmountWidth width) {
  return width == AmountWidth::kFloat32 ? "float32" : "float64";
}

}  // namespace tapeworks
