#pragma once

#include <string_view>

#include "base/result.h"
#include "recorder/protocol/decode.h"
#include "recorder/protocol/decoded_frame.h"
#include "recorder/protocol/json_document.h"

namespace tapeworks::recorder {

// One decoder a venue. Each gets a whole, valid JSON value (SBE: the bytes) and fills `decoded`,
// which is empty before and of no interest after an error.

Status decode_binance_spot(JsonValue root, const DecodeContext& context, DecodedFrame& decoded);
Status decode_binance_usdm(JsonValue root, DecodedFrame& decoded);
Status decode_binance_sbe(std::string_view payload, DecodedFrame& decoded);
/// The text frames of an SBE connection.
Status decode_binance_sbe_control(JsonValue root, DecodedFrame& decoded);
Status decode_kucoin_spot(JsonValue root, DecodedFrame& decoded);
Status decode_kucoin_futures(JsonValue root, DecodedFrame& decoded);
Status decode_gate_spot(JsonValue root, DecodedFrame& decoded);
Status decode_gate_futures(JsonValue root, DecodedFrame& decoded);

}  // namespace tapeworks::recorder
