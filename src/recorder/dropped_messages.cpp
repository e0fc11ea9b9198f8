#include "recorder/dropped_messages.h"

namespace tapeworks::recorder {

void DroppedMessages::count(Venue venue, const Frame& frame) {
  ++total_;
  std::string_view stream = "unknown";
  if (decode_frame(venue, frame, {}, decoded_)) {
    stream = decoded_.rows().empty() ? "control" : name_of(decoded_.rows().front().stream);
  }
  ++by_stream_.find(stream)->second;
}

}  // namespace tapeworks::recorder
