#pragma once

#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "recorder/config/recorder_config.h"
#include "recorder/protocol/instrument_list.h"

namespace tapeworks::recorder {

/// Whether the exchange's list is needed to know what the feed records.
bool has_patterns(const FeedConfig& feed);

/// Which streams some feed records already: a row may come from one feed only.
class TakenStreams {
 public:
  void add(const FeedConfig& feed, const std::string& symbol);
  bool has(const FeedConfig& feed, const std::string& symbol) const;

 private:
  std::set<std::tuple<Venue, std::string, Stream>> taken_;
};

struct SymbolChoice {
  std::vector<std::string> symbols;  ///< names first, in their order; then what patterns found
  std::vector<std::string> unmatched_patterns;
};

/// What the symbols of a feed mean. A pattern finds instruments that trade and that no other feed
/// takes; names are taken as they are. `taken` has the names of all feeds, and gets what is found.
SymbolChoice choose_symbols(const FeedConfig& feed, const std::vector<ListedInstrument>& list,
                            TakenStreams& taken);

}  // namespace tapeworks::recorder
