#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "recorder/protocol/venue.h"

namespace tapeworks::recorder {

/// What was traded of each symbol in the last 24 hours, in its quote currency.
using QuoteVolumes = std::map<std::string, double, std::less<>>;

/// Path and query of the venue's REST interface that give the volumes of all symbols at once.
std::string_view quote_volumes_target(Venue venue);

/// Takes its reply apart; a symbol whose number cannot be read is left out. kCorrupt for what is no
/// such list, and for one that has no volume at all.
///
/// Sources of the fields: the exchanges' references of their 24-hour tickers (Binance
/// "quoteVolume", KuCoin "volValue" and "turnoverOf24h", Gate "quote_volume" and
/// "volume_24h_quote").
Result<QuoteVolumes> parse_quote_volumes(Venue venue, std::string_view body);

}  // namespace tapeworks::recorder
