#pragma once

#include <string_view>

#include "recorder/protocol/venue.h"

namespace tapeworks::recorder {

/// What in a message names its stream, as it is written there.
struct StreamIdentity {
  std::string_view channel;  ///< with the symbol where the venue writes both as one name
  std::string_view symbol;   ///< otherwise

  bool is_known() const { return !channel.empty(); }
};

/// Finds that in a text message without reading all of it: two messages of one venue with the same
/// identity are of the same stream, if they are market data at all. Empty views when it is not
/// where venues put it; nothing is said then. Whether the rest of the message is in order is not
/// looked at.
StreamIdentity find_stream_identity(Venue venue, std::string_view payload);

}  // namespace tapeworks::recorder
