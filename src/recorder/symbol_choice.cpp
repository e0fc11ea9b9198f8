#include "recorder/symbol_choice.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace tapeworks::recorder {

void TakenStreams::add(const FeedConfig& feed, const std::string& symbol) {
  for (const Stream stream : feed.streams) taken_.insert({feed.venue, symbol, stream});
}

void TakenStreams::remove(const FeedConfig& feed, const std::string& symbol) {
  for (const Stream stream : feed.streams) taken_.erase({feed.venue, symbol, stream});
}

bool TakenStreams::has(const FeedConfig& feed, const std::string& symbol) const {
  return std::ranges::any_of(
      feed.streams, [&](Stream stream) { return taken_.contains({feed.venue, symbol, stream}); });
}

namespace {

/// Leaves those that were traded most, in the order in which they were found.
void keep_top(std::vector<std::string>& symbols, uint64_t count, const QuoteVolumes& volumes) {
  if (symbols.size() <= count) return;
  const auto volume_of = [&](const std::string& symbol) {
    const auto found = volumes.find(symbol);
    return found == volumes.end() ? 0 : found->second;
  };
  std::vector<std::string> ranked = symbols;
  std::ranges::sort(ranked, [&](const std::string& a, const std::string& b) {
    return std::pair(-volume_of(a), std::string_view(a)) <
           std::pair(-volume_of(b), std::string_view(b));
  });
  const std::set<std::string_view> top(ranked.begin(),
                                       ranked.begin() + static_cast<std::ptrdiff_t>(count));
  std::erase_if(symbols, [&](const std::string& symbol) { return !top.contains(symbol); });
}

}  // namespace

SymbolChoice choose_symbols(const FeedConfig& feed, const std::vector<ListedInstrument>& list,
                            const QuoteVolumes& volumes, TakenStreams& taken) {
  SymbolChoice choice;
  std::vector<std::string> found;
  std::set<std::string_view> seen;
  for (const std::string& pattern : feed.symbols) {
    if (!is_symbol_pattern(pattern)) {
      choice.symbols.push_back(pattern);
      continue;
    }
    bool has_match = false;
    for (const auto& [facts, entry] : list) {
      if (!facts.is_trading || !matches_symbol_pattern(facts.symbol, pattern)) continue;
      has_match = true;
      if (taken.has(feed, facts.symbol) || !seen.insert(facts.symbol).second) continue;
      found.push_back(facts.symbol);
    }
    if (!has_match) choice.unmatched_patterns.push_back(pattern);
  }
  if (feed.top_by_volume > 0) keep_top(found, feed.top_by_volume, volumes);
  for (std::string& symbol : found) {
    taken.add(feed, symbol);
    choice.symbols.push_back(std::move(symbol));
  }
  return choice;
}

void give_back_found(const FeedConfig& feed, const std::vector<std::string>& symbols,
                     TakenStreams& taken) {
  for (const std::string& symbol : symbols) {
    const bool is_named = std::ranges::find(feed.symbols, symbol) != feed.symbols.end();
    if (!is_named) taken.remove(feed, symbol);
  }
}

}  // namespace tapeworks::recorder
