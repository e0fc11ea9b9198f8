// Feeds arbitrary lines to a connection of each venue and checks that it keeps to its limits.
//
//   build/clang/src/recorder/protocol/connection_fuzz -max_total_time=600

#include <cstdlib>

#include "recorder/protocol/connection_test_support.h"

using namespace tapeworks::recorder;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const Venue venue = kVenues[data[0] % kVenues.size()];
  const VenueRules& rules = rules_of(venue);
  const milliseconds step(data[1] * 100);
  std::string_view rest(reinterpret_cast<const char*>(data) + 2, size - 2);
  Connection connection(
      {venue, keys_of({"BTCUSDT", "BTC-USDT", "BTC_USDT"}, {Stream::kTrade, Stream::kL5}), "", "",
       ""},
      1, 1);
  Reaction out;
  SteadyTime now{0};
  connection.start(at(now), out);
  connection.on_token_reply(at(now), 200, rest, out);
  connection.on_open(at(now), out);
  std::vector<SteadyTime> sent;
  while (!rest.empty() && now < seconds(600)) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    connection.on_message(at(now), text_frame(rest.substr(0, end)), out);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    now += step;
    connection.on_time(at(now), out);
    sent.resize(texts_of(out, Action::Kind::kSend).size(), now);
    require(connection.state() != Connection::State::kLive || connection.deadline().has_value());
    require(connection.state() != Connection::State::kClosed || !connection.deadline().has_value());
  }
  for (size_t i = rules.messages_max; i < sent.size(); ++i) {
    // Pings are sent when they are due, whatever else was sent.
    require(sent[i] - sent[i - rules.messages_max] + step + seconds(1) >= rules.message_window);
  }
  return 0;
}
