#include "recorder/protocol/stream_identity.h"

#include <cstring>

namespace tapeworks::recorder {
namespace {

using namespace std::literals;

/// What names a stream stands in the first bytes. Gate has some 160 in front of the symbol.
constexpr size_t kLookedAtBytesMax = 320;

/// The text of the first member that begins with `marker` ("name":"); empty without it, and where
/// an escape would have to be understood.
std::string_view text_after(std::string_view payload, std::string_view marker) {
  const void* const found = memmem(payload.data(), payload.size(), marker.data(), marker.size());
  if (found == nullptr) return {};
  const size_t begin =
      static_cast<size_t>(static_cast<const char*>(found) - payload.data()) + marker.size();
  const size_t end = payload.find('"', begin);
  if (end == std::string_view::npos) return {};
  const std::string_view text = payload.substr(begin, end - begin);
  return text.contains('\\') ? std::string_view() : text;
}

/// Nothing for a topic of many symbols, and for what is no message of a stream.
StreamIdentity find_kucoin(std::string_view payload) {
  if (text_after(payload, R"("type":")") != "message") return {};
  const std::string_view topic = text_after(payload, R"("topic":")");
  if (topic.ends_with(":all") || topic.contains(',')) return {};
  return {topic, {}};
}

/// Where a channel of Gate has its symbol. The levels of a futures book have an "s" as well.
std::string_view gate_symbol_marker(Venue venue, std::string_view channel) {
  const bool is_spot = venue == Venue::kGateSpot;
  if (channel.ends_with(".book_ticker")) return R"("s":")";
  if (channel.ends_with(".order_book")) return is_spot ? R"("s":")"sv : R"("contract":")"sv;
  if (channel.ends_with(".trades")) return is_spot ? R"("currency_pair":")"sv : R"("contract":")"sv;
  return {};
}

/// Answers to subscriptions have a channel too.
StreamIdentity find_gate(Venue venue, std::string_view payload) {
  const std::string_view event = text_after(payload, R"("event":")");
  if (event != "update" && event != "all") return {};
  const std::string_view channel = text_after(payload, R"("channel":")");
  const std::string_view marker = gate_symbol_marker(venue, channel);
  if (marker.empty()) return {};
  const std::string_view symbol = text_after(payload, marker);
  return symbol.empty() ? StreamIdentity{} : StreamIdentity{channel, symbol};
}

}  // namespace

StreamIdentity find_stream_identity(Venue venue, std::string_view payload) {
  payload = payload.substr(0, kLookedAtBytesMax);
  switch (venue) {
    case Venue::kBinanceSpot:
    case Venue::kBinanceUsdm:
      return {text_after(payload, R"("stream":")"), {}};
    case Venue::kKucoinSpot:
    case Venue::kKucoinFutures:
      return find_kucoin(payload);
    case Venue::kGateSpot:
    case Venue::kGateFutures:
      return find_gate(venue, payload);
    case Venue::kBinanceSpotSbe:
      break;  // its market data are not text
  }
  return {};
}

}  // namespace tapeworks::recorder
