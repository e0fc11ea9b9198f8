#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "recorder/protocol/decoded_frame.h"
#include "recorder/protocol/stream_symbols.h"
#include "recorder/protocol/venue.h"

namespace tapeworks::recorder {

/// Of a WebSocket message.
enum class Opcode : uint8_t { kText, kBinary };

/// A message as received, whole.
struct Frame {
  std::string_view payload;
  Opcode opcode = Opcode::kText;
  std::optional<int64_t> receive_time_ns;  ///< since 1970 UTC; without it no skew is judged
};

struct DecodeContext {
  const StreamSymbols* symbols = nullptr;  ///< of the connection; may be null
  std::chrono::nanoseconds max_time_skew = std::chrono::hours(1);
};

/// Decodes one frame of `venue`, all or nothing: after an error (kCorrupt) there are no rows, and
/// the frame belongs into quarantine.
///
/// An error means: not valid JSON or SBE, a shape that no venue has, a value that is no number, or
/// a time that cannot be one, such as milliseconds where nanoseconds are due. Unknown members, the
/// order of members and unknown streams are no errors.
///
/// Pure: depends on the arguments only.
Status decode_frame(Venue venue, const Frame& frame, const DecodeContext& context,
                    DecodedFrame& decoded);

}  // namespace tapeworks::recorder
