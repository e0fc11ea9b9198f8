#pragma once

#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/result.h"
#include "recorder/config/recorder_config.h"
#include "recorder/protocol/instrument_list.h"
#include "recorder/protocol/quote_volume.h"

namespace tapeworks::recorder {

/// Which streams some feed records already: a row may come from one feed only.
class TakenStreams {
 public:
  void add(const FeedConfig& feed, const std::string& symbol);
  void remove(const FeedConfig& feed, const std::string& symbol);
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

/// The same for a feed with top_by_volume: of what patterns find only the so many that were traded
/// most, equal ones by name. `recorded` are its symbols until now: what patterns have found of them
/// is free again, and stays in the choice while it does not trade. kCorrupt for replies on which no
/// choice can be built, such as an empty list; `taken` is unchanged then.
Result<SymbolChoice> choose_top(const FeedConfig& feed, const std::vector<ListedInstrument>& list,
                                const QuoteVolumes& volumes,
                                const std::vector<std::string>& recorded, TakenStreams& taken);

}  // namespace tapeworks::recorder
