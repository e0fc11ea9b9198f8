#include "recorder/dropped_messages.h"

namespace tapeworks::recorder {

DroppedCounts DroppedMessages::none() {
  DroppedCounts counts;
  for (const DropCause cause : {DropCause::kLogFull, DropCause::kBacklogFull}) {
    counts[cause] = {{"book", 0}, {"l5", 0}, {"trade", 0}, {"control", 0}, {"unknown", 0}};
  }
  return counts;
}

void DroppedMessages::count(Venue venue, const Frame& frame, DropCause cause) {
  ++total_;
  std::string_view stream = "unknown";
  if (decode_frame(venue, frame, {}, decoded_)) {
    stream = decoded_.rows().empty() ? "control" : name_of(decoded_.rows().front().stream);
  }
  ++counts_[cause].find(stream)->second;
}

}  // namespace tapeworks::recorder
