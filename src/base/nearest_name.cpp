#include "base/nearest_name.h"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <vector>

namespace tapeworks {
namespace {

bool same_letter(char a, char b) {
  return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
}

/// Levenshtein's distance: letters inserted, deleted or replaced.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (same_letter(a[i], b[j]) ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string nearest_name(std::string_view text, std::span<const std::string> known_names) {
  std::string nearest;
  // A third of the letters may differ, but at least two: "rnaking" is two away from "ranking".
  size_t distance_limit = std::max<size_t>(2, text.size() / 3) + 1;
  for (const std::string& name : known_names) {
    const size_t distance = edit_distance(text, name);
    if (distance < distance_limit && distance < name.size()) {
      distance_limit = distance;
      nearest = name;
    }
  }
  return nearest;
}

}  // namespace tapeworks
