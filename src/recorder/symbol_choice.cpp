#include "recorder/symbol_choice.h"

#include <algorithm>
#include <functional>
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

using IsWanted = std::function<bool(const InstrumentFacts& facts)>;

/// What the patterns match of the wanted and free instruments, each once, and the names before it.
struct Matches {
  SymbolChoice choice;
  std::vector<std::string> found;
};

Matches match(const FeedConfig& feed, const std::vector<ListedInstrument>& list,
              const TakenStreams& taken, const IsWanted& is_wanted) {
  Matches matches;
  std::set<std::string_view> seen;
  for (const std::string& pattern : feed.symbols) {
    if (!is_symbol_pattern(pattern)) {
      matches.choice.symbols.push_back(pattern);
      continue;
    }
    bool has_match = false;
    for (const auto& [facts, entry] : list) {
      if (!is_wanted(facts) || !matches_symbol_pattern(facts.symbol, pattern)) continue;
      has_match = true;
      if (taken.has(feed, facts.symbol) || !seen.insert(facts.symbol).second) continue;
      matches.found.push_back(facts.symbol);
    }
    if (!has_match) matches.choice.unmatched_patterns.push_back(pattern);
  }
  return matches;
}

SymbolChoice take(const FeedConfig& feed, Matches matches, TakenStreams& taken) {
  for (std::string& symbol : matches.found) {
    taken.add(feed, symbol);
    matches.choice.symbols.push_back(std::move(symbol));
  }
  return std::move(matches.choice);
}

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

/// An exchange under maintenance sends lists that are empty, or of which nothing trades; some
/// instruments have no volume, but not most of them.
Status check_ranking(const FeedConfig& feed, const std::vector<std::string>& found,
                     const QuoteVolumes& volumes, size_t listed_count) {
  if (found.empty()) {
    return corrupt("of {} listed instruments none trades and matches the patterns", listed_count);
  }
  const auto known = std::ranges::count_if(
      found, [&](const std::string& symbol) { return volumes.contains(symbol); });
  if (2 * static_cast<uint64_t>(known) < std::min<uint64_t>(feed.top_by_volume, found.size())) {
    return corrupt("only {} of {} matching symbols have a volume", known, found.size());
  }
  return {};
}

}  // namespace

SymbolChoice choose_symbols(const FeedConfig& feed, const std::vector<ListedInstrument>& list,
                            TakenStreams& taken) {
  return take(
      feed, match(feed, list, taken, [](const InstrumentFacts& facts) { return facts.is_trading; }),
      taken);
}

Result<SymbolChoice> choose_top(const FeedConfig& feed, const std::vector<ListedInstrument>& list,
                                const QuoteVolumes& volumes,
                                const std::vector<std::string>& recorded, TakenStreams& taken) {
  TakenStreams others = taken;
  for (const std::string& symbol : recorded) {
    const bool is_named = std::ranges::find(feed.symbols, symbol) != feed.symbols.end();
    if (!is_named) others.remove(feed, symbol);
  }
  const std::set<std::string_view> before(recorded.begin(), recorded.end());
  Matches matches = match(feed, list, others, [&](const InstrumentFacts& facts) {
    return facts.is_trading || before.contains(facts.symbol);
  });
  TW_TRY(check_ranking(feed, matches.found, volumes, list.size()));
  keep_top(matches.found, feed.top_by_volume, volumes);
  taken = std::move(others);
  return take(feed, std::move(matches), taken);
}

}  // namespace tapeworks::recorder
