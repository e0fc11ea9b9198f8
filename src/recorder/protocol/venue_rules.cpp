#include "recorder/protocol/venue_rules.h"

#include <fmt/format.h>

namespace tapeworks::recorder {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// One subscription frame may name many streams, and few frames are what the limit asks for.
constexpr size_t kBinanceNamesPerRequest = 150;

constexpr VenueRules binance(std::string_view url, size_t messages_max) {
  VenueRules rules;
  rules.url = url;
  rules.streams_per_connection_max = 512;  // of 1,024
  rules.symbols_per_request_max = kBinanceNamesPerRequest;
  rules.snapshots_per_request_max = kBinanceNamesPerRequest;
  rules.messages_max = messages_max;
  rules.message_window = seconds(1);
  rules.message_spacing = milliseconds(300);
  rules.connections_max = 240;  // of 300
  rules.connection_window = seconds(300);
  rules.lifetime = hours(24);
  return rules;
}

constexpr VenueRules binance_sbe() {
  VenueRules rules = binance("wss://stream-sbe.binance.com:9443/ws", 4);
  rules.header_name = "X-MBX-APIKEY";
  return rules;
}

constexpr VenueRules kucoin(std::string_view token_url, size_t streams_per_connection_max,
                            size_t snapshots_per_request_max) {
  VenueRules rules;
  rules.token_url = token_url;
  rules.ping = PingKind::kKucoinClient;
  rules.ping_interval = seconds(18);
  rules.pong_timeout = seconds(10);
  rules.streams_per_connection_max = streams_per_connection_max;
  rules.symbols_per_request_max = 100;
  rules.snapshots_per_request_max = snapshots_per_request_max;
  rules.messages_max = 80;  // of 100
  rules.message_window = seconds(10);
  rules.message_spacing = milliseconds(350);
  rules.connections_max = 24;  // of 30
  rules.connection_window = seconds(60);
  rules.lifetime = hours(24);
  return rules;
}

constexpr VenueRules gate(std::string_view url) {
  VenueRules rules;
  rules.url = url;
  rules.ping = PingKind::kGateClient;
  rules.ping_interval = seconds(12);
  rules.pong_timeout = seconds(10);
  rules.streams_per_connection_max = 300;
  rules.symbols_per_request_max = 100;
  rules.snapshots_per_request_max = 1;
  rules.messages_max = 40;
  rules.message_window = seconds(1);
  rules.message_spacing = milliseconds(50);
  rules.connections_max = 100;
  rules.connection_window = seconds(300);
  rules.lifetime = hours(0);
  return rules;
}

constexpr VenueRules gate_futures() {
  VenueRules rules = gate("wss://fx-ws.gateio.ws/v4/ws/usdt");
  // Without it, sizes with a fraction are cut to integers.
  rules.header_name = "X-Gate-Size-Decimal";
  rules.header_value = "1";
  return rules;
}

// A fifth message a second is left for the pong that a Binance server may ask for.
constexpr VenueRules kBinanceSpot = binance("wss://stream.binance.com:9443/stream", 4);
constexpr VenueRules kBinanceSbe = binance_sbe();
constexpr VenueRules kBinanceUsdm = binance("wss://fstream.binance.com/public/stream", 8);
constexpr VenueRules kKucoinSpot = kucoin("https://api.kucoin.com/api/v1/bullet-public", 300, 100);
// Reports differ on whether depth topics take a list of symbols.
constexpr VenueRules kKucoinFutures =
    kucoin("https://api-futures.kucoin.com/api/v1/bullet-public", 100, 1);
constexpr VenueRules kGateSpot = gate("wss://api.gateio.ws/ws/v4/");
constexpr VenueRules kGateFutures = gate_futures();

struct Channels {
  std::string_view book;
  std::string_view l5;
  std::string_view trade;
};

constexpr Channels channels_of(Venue venue) {
  switch (venue) {
    case Venue::kBinanceSpot:
    case Venue::kBinanceUsdm:
      return {"bookTicker", "depth5@100ms", "trade"};
    case Venue::kBinanceSpotSbe:
      return {"bestBidAsk", "depth20", "trade"};
    case Venue::kKucoinSpot:
      return {"/market/ticker", "/spotMarket/level2Depth5", "/market/match"};
    case Venue::kKucoinFutures:
      return {"/contractMarket/tickerV2", "/contractMarket/level2Depth5",
              "/contractMarket/execution"};
    case Venue::kGateSpot:
      return {"spot.book_ticker", "spot.order_book", "spot.trades"};
    case Venue::kGateFutures:
      return {"futures.book_ticker", "futures.order_book", "futures.trades"};
  }
  return {};
}

}  // namespace

const VenueRules& rules_of(Venue venue) {
  switch (venue) {
    case Venue::kBinanceSpot:
      break;
    case Venue::kBinanceSpotSbe:
      return kBinanceSbe;
    case Venue::kBinanceUsdm:
      return kBinanceUsdm;
    case Venue::kKucoinSpot:
      return kKucoinSpot;
    case Venue::kKucoinFutures:
      return kKucoinFutures;
    case Venue::kGateSpot:
      return kGateSpot;
    case Venue::kGateFutures:
      return kGateFutures;
  }
  return kBinanceSpot;
}

std::string usdm_url(std::string_view route) {
  return fmt::format("wss://fstream.binance.com/{}{}stream", route, route.empty() ? "" : "/");
}

std::string_view channel_of(Venue venue, Stream stream) {
  const Channels channels = channels_of(venue);
  switch (stream) {
    case Stream::kBook:
      return channels.book;
    case Stream::kL5:
      return channels.l5;
    case Stream::kTrade:
      return channels.trade;
  }
  return {};
}

}  // namespace tapeworks::recorder
