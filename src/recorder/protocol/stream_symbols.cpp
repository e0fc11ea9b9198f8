#include "recorder/protocol/stream_symbols.h"

#include <algorithm>

#include "base/lower_case.h"

namespace tapeworks::recorder {

std::string stream_spelling(std::string_view symbol) { return lower_case(symbol); }

std::string StreamSymbols::rest_spelling(std::string_view stream_symbol) const {
  if (const auto found = rest_spelling_.find(stream_symbol); found != rest_spelling_.end()) {
    return found->second;
  }
  std::string upper(stream_symbol);
  std::ranges::transform(upper, upper.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return upper;
}

}  // namespace tapeworks::recorder
