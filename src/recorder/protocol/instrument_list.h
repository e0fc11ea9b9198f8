#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "recorder/protocol/json_document.h"
#include "recorder/protocol/venue.h"

namespace tapeworks::recorder {

/// Where the venue's REST interface has the list of its instruments.
std::string_view instruments_url(Venue venue);

/// What a venue says of one instrument. Nothing where it does not say.
struct InstrumentFacts {
  std::string symbol;
  std::string status;      ///< in the venue's words, or "trading" and "not_trading" for a flag
  bool is_trading = true;  ///< orders are taken; only such instruments match patterns
  std::optional<double> multiplier;     ///< of the base currency in one contract
  std::optional<double> price_tick;     ///< the smallest difference of two prices
  std::optional<double> quantity_step;  ///< and of two quantities, in their unit
};

/// kCorrupt for an entry without a name; numbers that cannot be read are left out.
Result<InstrumentFacts> decode_instrument(Venue venue, JsonValue entry);

struct ListedInstrument {
  InstrumentFacts facts;
  std::string_view entry;  ///< its JSON object as received; a part of the body
};

/// Takes the reply of instruments_url() apart. kCorrupt for what is no such list; then nothing of
/// it is used.
Result<std::vector<ListedInstrument>> parse_instrument_list(Venue venue, std::string_view body);

/// Whether a name has a place holder: '*' stands for any text, '?' for one character (of UTF-8).
bool is_symbol_pattern(std::string_view symbol);
bool matches_symbol_pattern(std::string_view symbol, std::string_view pattern);

}  // namespace tapeworks::recorder
