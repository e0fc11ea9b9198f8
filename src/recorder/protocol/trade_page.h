#pragma once

#include <string_view>

#include "base/result.h"
#include "recorder/protocol/decoded_frame.h"
#include "recorder/protocol/venue.h"

namespace tapeworks::recorder {

/// Decodes what a venue's REST interface answered about the trades of one symbol, all or nothing.
/// The rows are those of the trade stream, in the order of their numbers, whatever order was sent;
/// they have no exchange_time, because an answer does not say when each was sent.
/// docs/formats/backfill.md says which resource it is.
///
/// kCorrupt for anything but a list of trades, also for an error that came with status 200.
/// Pure: depends on the arguments only.
Status decode_trade_page(Venue venue, std::string_view symbol, std::string_view body,
                         DecodedFrame& decoded);

}  // namespace tapeworks::recorder
