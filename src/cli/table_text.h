#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cli/table_cells.h"

namespace tapeworks {

struct TextTableStyle {
  /// Columns at the end that would make a line longer are left out; 0 means no limit.
  size_t line_width_max = 0;
  /// The header in bold, for terminals.
  bool bold_header = false;
};

/// A table for people: aligned, numbers with thousands separators and as many decimals as the size
/// of the largest of a column makes sensible. A table without rows is its header. What was left out
/// for width is named in a line below.
std::string text_table(const std::vector<CellColumn>& columns, const TextTableStyle& style);

/// The first row as lines of "name  value", for an answer about a single thing.
std::string text_record(const std::vector<CellColumn>& columns);

/// Terminal columns that a UTF-8 text takes: two for East Asian wide characters, none for combining
/// marks, one for everything else and for each byte that is no UTF-8.
size_t display_width(std::string_view text);

}  // namespace tapeworks
