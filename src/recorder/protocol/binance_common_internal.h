#pragma once

#include <string_view>

#include "base/result.h"
#include "recorder/protocol/decode.h"
#include "recorder/protocol/decoded_frame.h"
#include "recorder/protocol/json_document.h"

namespace tapeworks::recorder {

// What Binance's spot and USD-M connections have in common.

/// "btcusdt@depth5@100ms": the symbol and what is streamed of it.
struct BinanceStream {
  std::string_view symbol;
  std::string_view channel;  ///< "depth5"
};
BinanceStream split_binance_stream(std::string_view name);

/// Replies, errors, serverShutdown and what a client sends. False when the frame is none of them.
bool decode_binance_control(JsonValue root, DecodedFrame& decoded);

/// Whether a channel sends snapshots of the book. Its name is asked because a payload does not
/// tell: USD-M sends snapshots and changes under one event name.
bool is_binance_snapshot(std::string_view channel);

/// An event name that contradicts the stream's is an error; none is fine.
Status expect_binance_event(JsonValue payload, std::string_view event);

/// A message of a named stream that is no snapshot.
Status decode_binance_message(std::string_view channel, JsonValue payload, DecodedFrame& decoded);

/// The name under which a stream that is not recorded is counted; `event` is "e" or the channel.
std::string_view binance_ignored_kind(std::string_view event);

Status add_binance_book(JsonValue payload, DecodedFrame& decoded);
/// A trade, or the placeholder that USD-M sends for an identifier without one.
Status add_binance_trade(JsonValue payload, DecodedFrame& decoded);

}  // namespace tapeworks::recorder
