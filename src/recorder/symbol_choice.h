#pragma once

#include <set>
#include <string>
#include <tuple>
#include <vector>

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
/// takes, with top_by_volume only the so many of them that were traded most (`volumes`; equal ones
/// by name); names are taken as they are. `taken` has the names of all feeds, and gets what is
/// found.
SymbolChoice choose_symbols(const FeedConfig& feed, const std::vector<ListedInstrument>& list,
                            const QuoteVolumes& volumes, TakenStreams& taken);

/// Before another choice: what patterns have found of a feed's symbols may go to any feed. Names
/// stay with it.
void give_back_found(const FeedConfig& feed, const std::vector<std::string>& symbols,
                     TakenStreams& taken);

}  // namespace tapeworks::recorder
