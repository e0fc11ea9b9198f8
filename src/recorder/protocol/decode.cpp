#include "recorder/protocol/decode.h"

#include <utility>

#include "recorder/protocol/decoders_internal.h"

namespace tapeworks::recorder {
namespace {

Status decode_json(Venue venue, JsonValue root, const DecodeContext& context,
                   DecodedFrame& decoded) {
  switch (venue) {
    case Venue::kBinanceSpot:
      return decode_binance_spot(root, context, decoded);
    case Venue::kBinanceSpotSbe:
      return decode_binance_sbe_control(root, decoded);
    case Venue::kBinanceUsdm:
      return decode_binance_usdm(root, decoded);
    case Venue::kKucoinSpot:
      return decode_kucoin_spot(root, decoded);
    case Venue::kKucoinFutures:
      return decode_kucoin_futures(root, decoded);
    case Venue::kGateSpot:
      return decode_gate_spot(root, decoded);
    case Venue::kGateFutures:
      return decode_gate_futures(root, decoded);
  }
  return internal_error("no decoder for venue {}", static_cast<int>(venue));
}

Status decode_whole(Venue venue, const Frame& frame, const DecodeContext& context,
                    DecodedFrame& decoded) {
  if (frame.opcode == Opcode::kBinary) {
    if (venue == Venue::kBinanceSpotSbe) return decode_binance_sbe(frame.payload, decoded);
    return corrupt("the frame is binary, but this connection speaks text");
  }
  TW_TRY(decoded.document().parse(frame.payload));
  return decode_json(venue, decoded.document().root(), context, decoded);
}

bool is_skewed(const std::optional<int64_t>& instant_ns, int64_t receive_time_ns,
               std::chrono::nanoseconds max_time_skew) {
  return instant_ns && std::abs(*instant_ns - receive_time_ns) > max_time_skew.count();
}

}  // namespace

Status decode_frame(Venue venue, const Frame& frame, const DecodeContext& context,
                    DecodedFrame& decoded) {
  decoded.clear();
  if (auto status = decode_whole(venue, frame, context, decoded); !status) {
    decoded.clear();
    const VenueName name = name_of(venue);
    Error error = std::move(status).error();
    error.message = fmt::format("{} {}: {}", name.exchange, name.market, error.message);
    return std::unexpected(std::move(error));
  }
  if (frame.receive_time_ns) {
    for (EventRow& row : decoded.rows()) {
      if (is_skewed(row.event_time_ns, *frame.receive_time_ns, context.max_time_skew) ||
          is_skewed(row.exchange_time_ns, *frame.receive_time_ns, context.max_time_skew)) {
        row.flags |= kFlagTimeSkew;
      }
    }
  }
  return {};
}

}  // namespace tapeworks::recorder
