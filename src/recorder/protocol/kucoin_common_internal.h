#pragma once

#include <string_view>

#include "base/result.h"
#include "recorder/protocol/decoded_frame.h"
#include "recorder/protocol/json_document.h"
#include "recorder/protocol/row_fields_internal.h"

namespace tapeworks::recorder {

// What KuCoin's spot and futures connections have in common.

/// "/market/ticker:BTC-USDT": the path and what follows the colon.
struct KucoinTopic {
  std::string_view path;
  std::string_view symbol;
};
KucoinTopic split_kucoin_topic(std::string_view topic);

/// Everything whose type is not "message". False for a message; an error for no known shape.
Result<bool> decode_kucoin_control(JsonValue root, DecodedFrame& decoded);

/// The symbol that a message states, else that of its topic.
std::string_view kucoin_symbol(JsonValue root, const KucoinTopic& topic);

/// A trade; `time_name` is the member with its time in nanoseconds.
Status add_kucoin_trade(std::string_view symbol, JsonValue data, std::string_view time_name,
                        QuantityUnit unit, DecodedFrame& decoded);

}  // namespace tapeworks::recorder
