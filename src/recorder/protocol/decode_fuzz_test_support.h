#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "recorder/protocol/decode.h"

namespace tapeworks::recorder {

inline void require(bool holds) {
  if (!holds) std::abort();
}

inline void require_number(const std::optional<double>& number) {
  require(!number || std::isfinite(*number));
}

enum class TradeId : uint8_t { kRequired, kOptional };

/// What every row promises, whatever the frame was.
inline void require_sound(const EventRow& row, TradeId trade_id = TradeId::kRequired) {
  require(!row.symbol.empty());
  for (const auto& instant_ns : {row.event_time_ns, row.exchange_time_ns}) {
    require(!instant_ns || *instant_ns > 0);
  }
  require_number(row.price);
  require_number(row.quantity);
  require(row.quantity_unit.has_value());
  require(!row.quantity || *row.quantity >= 0);
  if (row.stream == Stream::kTrade) {
    require(row.price && row.quantity && row.sequence);
    require(trade_id == TradeId::kOptional || !row.trade_id.empty());
  }
  for (const auto* side : {&row.bids, &row.asks}) {
    for (const Level& level : *side) {
      require(level.price.has_value() == level.quantity.has_value());
      require_number(level.price);
      require_number(level.quantity);
    }
  }
  require(row.raw.empty() || JsonDocument().parse(row.raw));
}

/// Decodes arbitrary bytes as a frame of `venue`. Seeds are the lines of tests/data/exchanges.
inline int fuzz_decoder(Venue venue, Opcode opcode, const uint8_t* data, size_t size) {
  static DecodedFrame decoded;
  const Frame frame{.payload = {reinterpret_cast<const char*>(data), size},
                    .opcode = opcode,
                    .receive_time_ns = 1'771'263'510'063'000'000};
  const auto status = decode_frame(venue, frame, {}, decoded);
  require(status || decoded.rows().empty());
  require(decoded.rows().empty() || decoded.kind == FrameKind::kRows);
  require(decoded.kind != FrameKind::kIgnored || !status || !decoded.ignored_kind.empty());
  for (const EventRow& row : decoded.rows()) require_sound(row);
  return 0;
}

}  // namespace tapeworks::recorder
