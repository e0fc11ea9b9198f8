#include "recorder/simulator/session.h"

#include <charconv>

namespace tapeworks::simulator {

void VenueSession::on_ping(int64_t, SessionActions&) {}
void VenueSession::on_pong(int64_t, SessionActions&) {}

std::optional<Outgoing> VenueSession::encode(const MarketEvent& event, uint32_t symbol_index,
                                             NumberForm form) const {
  const auto subscribed = subscriptions_.find(StreamKey{symbol_index, event.stream}.packed());
  if (subscribed == subscriptions_.end()) return std::nullopt;
  return write(event, subscribed->second, form);
}

std::unique_ptr<VenueSession> make_session(Venue venue, const Market& market,
                                           const ClientRequest& request) {
  switch (venue) {
    case Venue::kBinanceSpot:
    case Venue::kBinanceSpotSbe:
    case Venue::kBinanceUsdm:
      return make_binance_session(venue, market, request);
    case Venue::kKucoinSpot:
    case Venue::kKucoinFutures:
      return make_kucoin_session(venue, market, request);
    case Venue::kGateSpot:
    case Venue::kGateFutures:
      return make_gate_session(venue, market, request);
  }
  return nullptr;
}

bool RateLimit::allows(int64_t now_ns) {
  while (!times_ns_.empty() && times_ns_.front() <= now_ns - window_ns_) times_ns_.pop_front();
  if (times_ns_.size() >= count_max_) return false;
  times_ns_.push_back(now_ns);
  return true;
}

std::string percent_decoded(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    uint8_t byte = 0;
    const char* const digits = text.data() + i + 1;
    if (text[i] == '%' && text.size() - i > 2 &&
        std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
      decoded += static_cast<char>(byte);
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

std::string query_value(std::string_view target, std::string_view name) {
  size_t begin = target.find('?');
  while (begin != std::string_view::npos) {
    ++begin;
    const size_t end = target.find('&', begin);
    const std::string_view parameter =
        target.substr(begin, end == std::string_view::npos ? end : end - begin);
    if (parameter.starts_with(name) && parameter.substr(name.size()).starts_with('=')) {
      return percent_decoded(parameter.substr(name.size() + 1));
    }
    begin = end;
  }
  return {};
}

}  // namespace tapeworks::simulator
