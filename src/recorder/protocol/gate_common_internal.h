#pragma once

#include <optional>
#include <string_view>

#include "base/result.h"
#include "recorder/protocol/decoded_frame.h"
#include "recorder/protocol/json_document.h"

namespace tapeworks::recorder {

// What Gate's spot and futures connections have in common.

/// Everything that is no update of `market` ("spot" or "futures"). Otherwise the channel without
/// its market: "book_ticker". An error for no known shape.
Result<std::optional<std::string_view>> decode_gate_control(JsonValue root, std::string_view market,
                                                            DecodedFrame& decoded);

/// When Gate sent a frame: to the millisecond, or in older frames to the second.
Result<std::optional<int64_t>> gate_frame_time_ns(JsonValue root);

/// When a trade was made, with kFlagCoarseTime where only the second is known.
Status set_gate_trade_time(EventRow& row, JsonValue trade);

/// Contracts of a trade: the sign of the size is the side of the taker.
Status set_gate_contracts(EventRow& row, JsonValue size);

Status add_gate_book(JsonValue root, QuantityUnit unit, DecodedFrame& decoded);

/// The name under which a channel that is not recorded is counted.
std::string_view gate_ignored_kind(std::string_view channel);

}  // namespace tapeworks::recorder
