#include "recorder/symbol_choice.h"

#include <algorithm>

namespace tapeworks::recorder {

bool has_patterns(const FeedConfig& feed) {
  return std::ranges::any_of(feed.symbols,
                             [](const auto& symbol) { return is_symbol_pattern(symbol); });
}

void TakenStreams::add(const FeedConfig& feed, const std::string& symbol) {
  for (const Stream stream : feed.streams) taken_.insert({feed.venue, symbol, stream});
}

bool TakenStreams::has(const FeedConfig& feed, const std::string& symbol) const {
  return std::ranges::any_of(
      feed.streams, [&](Stream stream) { return taken_.contains({feed.venue, symbol, stream}); });
}

SymbolChoice choose_symbols(const FeedConfig& feed, const std::vector<ListedInstrument>& list,
                            TakenStreams& taken) {
  SymbolChoice choice;
  std::vector<std::string> patterns;
  for (const std::string& symbol : feed.symbols) {
    (is_symbol_pattern(symbol) ? patterns : choice.symbols).push_back(symbol);
  }
  for (const std::string& pattern : patterns) {
    bool has_match = false;
    for (const auto& [facts, entry] : list) {
      if (!facts.is_trading || !matches_symbol_pattern(facts.symbol, pattern)) continue;
      has_match = true;
      if (taken.has(feed, facts.symbol)) continue;
      taken.add(feed, facts.symbol);
      choice.symbols.push_back(facts.symbol);
    }
    if (!has_match) choice.unmatched_patterns.push_back(pattern);
  }
  return choice;
}

}  // namespace tapeworks::recorder
