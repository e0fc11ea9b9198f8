#include "cli/table_text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>

#include <fmt/format.h>

namespace tapeworks {
namespace {

constexpr std::string_view kGap = "  ";

struct CodeRange {
  char32_t first;
  char32_t last;
};

/// The blocks that terminals draw two columns wide (Unicode's East Asian Width W and F, in blocks).
constexpr std::array<CodeRange, 13> kWide{{{0x1100, 0x115F},
                                           {0x2E80, 0x303E},
                                           {0x3041, 0x33FF},
                                           {0x3400, 0x4DBF},
                                           {0x4E00, 0x9FFF},
                                           {0xA000, 0xA4CF},
                                           {0xA960, 0xA97F},
                                           {0xAC00, 0xD7A3},
                                           {0xF900, 0xFAFF},
                                           {0xFE30, 0xFE6F},
                                           {0xFF00, 0xFF60},
                                           {0xFFE0, 0xFFE6},
                                           {0x1F300, 0x3FFFD}}};
constexpr std::array<CodeRange, 3> kCombining{
    {{0x0300, 0x036F}, {0x200B, 0x200F}, {0xFE00, 0xFE0F}}};

bool in_any(std::span<const CodeRange> ranges, char32_t code) {
  return std::ranges::any_of(
      ranges, [code](CodeRange range) { return range.first <= code && code <= range.last; });
}

/// The first character of a UTF-8 text and its bytes. A byte that starts none stands for itself.
struct Character {
  char32_t code;
  size_t byte_count;
};

Character first_character(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const size_t byte_count = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (byte_count == 1 || lead < 0xC0 || text.size() < byte_count) return {lead, 1};
  char32_t code = lead & (0xFFU >> (byte_count + 1));
  for (const char c : text.substr(1, byte_count - 1)) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0U) != 0x80U) return {lead, 1};
    code = (code << 6U) | (byte & 0x3FU);
  }
  return {code, byte_count};
}

std::string with_separators(std::string_view digits) {
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

template <typename Integer>
std::string integer_text(Integer value) {
  const std::string digits = fmt::format("{}", value);
  if (digits[0] == '-') return "-" + with_separators(std::string_view(digits).substr(1));
  return with_separators(digits);
}

std::string decimal_text(double value, int decimals) {
  if (!std::isfinite(value)) return fmt::format("{}", value);
  const std::string text = fmt::format("{:.{}f}", std::abs(value), decimals);
  const size_t point = std::min(text.find('.'), text.size());
  // What rounds to zero has no sign.
  const bool negative = value < 0 && text.find_first_of("123456789") != std::string::npos;
  return (negative ? "-" : "") + with_separators(std::string_view(text).substr(0, point)) +
         text.substr(point);
}

double as_double(const Cell& cell) {
  if (const double* wide = std::get_if<double>(&cell)) return *wide;
  if (const float* narrow = std::get_if<float>(&cell)) return static_cast<double>(*narrow);
  return 0;
}

int decimals_for(const CellColumn& column) {
  double largest = 0;
  for (const Cell& cell : column.cells) {
    const double size = std::abs(as_double(cell));
    if (std::isfinite(size)) largest = std::max(largest, size);
  }
  if (largest >= 1e5 || largest == 0) return 0;
  if (largest >= 10) return 2;
  return largest >= 0.01 ? 4 : 8;
}

/// Text without line breaks and other control characters, which would tear the table apart.
std::string printable(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return result;
}

std::string cell_text(const Cell& cell, int decimals) {
  struct Visitor {
    int decimals;
    std::string operator()(std::monostate) const { return ""; }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(int64_t value) const { return integer_text(value); }
    std::string operator()(uint64_t value) const { return integer_text(value); }
    std::string operator()(float value) const {
      return decimal_text(static_cast<double>(value), decimals);
    }
    std::string operator()(double value) const { return decimal_text(value, decimals); }
    std::string operator()(std::string_view text) const { return printable(text); }
    std::string operator()(Day day) const { return to_string(day); }
  };
  return std::visit(Visitor{decimals}, cell);
}

struct TextColumn {
  std::string name;
  std::vector<std::string> cells;
  size_t width = 0;
  bool right_aligned = false;
};

TextColumn text_column(const CellColumn& column) {
  TextColumn text{printable(column.name), {}, display_width(column.name), column.is_number()};
  const int decimals = decimals_for(column);
  for (const Cell& cell : column.cells) {
    text.cells.push_back(cell_text(cell, decimals));
    text.width = std::max(text.width, display_width(text.cells.back()));
  }
  return text;
}

void append_aligned(std::string& line, std::string_view text, size_t width, bool right_aligned) {
  const std::string padding(width - display_width(text), ' ');
  if (right_aligned) line += padding;
  line += text;
  if (!right_aligned) line += padding;
}

void append_line(std::string& out, std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  out += line;
  out += '\n';
}

size_t fitting_column_count(const std::vector<TextColumn>& columns, size_t line_width_max) {
  if (line_width_max == 0) return columns.size();
  size_t width = 0;
  for (size_t c = 0; c < columns.size(); ++c) {
    width += columns[c].width + (c == 0 ? 0 : kGap.size());
    if (width > line_width_max && c > 0) return c;
  }
  return columns.size();
}

}  // namespace

size_t display_width(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    const Character character = first_character(text);
    if (!in_any(kCombining, character.code)) width += in_any(kWide, character.code) ? 2 : 1;
    text.remove_prefix(character.byte_count);
  }
  return width;
}

std::string text_table(const std::vector<CellColumn>& columns, const TextTableStyle& style) {
  std::vector<TextColumn> texts;
  for (const CellColumn& column : columns) texts.push_back(text_column(column));
  const size_t shown_count = fitting_column_count(texts, style.line_width_max);
  const size_t row_count = columns.empty() ? 0 : columns[0].cells.size();

  std::string out;
  const auto add_row = [&](const auto& text_of) {
    std::string line;
    for (size_t c = 0; c < shown_count; ++c) {
      if (c != 0) line += kGap;
      append_aligned(line, text_of(texts[c]), texts[c].width, texts[c].right_aligned);
    }
    append_line(out, std::move(line));
  };
  if (style.bold_header) out += "\x1b[1m";
  add_row([](const TextColumn& column) -> const std::string& { return column.name; });
  if (style.bold_header) out.insert(out.size() - 1, "\x1b[0m");
  for (size_t row = 0; row < row_count; ++row) {
    add_row([row](const TextColumn& column) -> const std::string& { return column.cells[row]; });
  }
  if (shown_count < texts.size()) {
    out += "Not shown, the terminal is too narrow:";
    for (size_t c = shown_count; c < texts.size(); ++c) {
      out += (c == shown_count ? " " : ", ") + texts[c].name;
    }
    out += '\n';
  }
  return out;
}

std::string text_record(const std::vector<CellColumn>& columns) {
  size_t name_width = 0;
  for (const CellColumn& column : columns) {
    name_width = std::max(name_width, display_width(column.name));
  }
  std::string out;
  for (const CellColumn& column : columns) {
    if (column.cells.empty()) continue;
    std::string line;
    append_aligned(line, column.name, name_width, false);
    append_line(out, line + std::string(kGap) + cell_text(column.cells[0], decimals_for(column)));
  }
  return out;
}

}  // namespace tapeworks
