#include "recorder/simulator/instrument_list.h"

#include <fmt/format.h>

#include "recorder/simulator/wire_event.h"

namespace tapeworks::simulator {
namespace {

constexpr std::string_view kQuote = "USDT";
constexpr int64_t kMillisecondNs = 1'000'000;

std::string_view path_of(Venue venue) {
  switch (venue) {
    case Venue::kBinanceSpot:
    case Venue::kBinanceSpotSbe:
      return "/api/v3/exchangeInfo";
    case Venue::kBinanceUsdm:
      return "/fapi/v1/exchangeInfo";
    case Venue::kKucoinSpot:
      return "/api/v2/symbols";
    case Venue::kKucoinFutures:
      return "/api/v1/contracts/active";
    case Venue::kGateSpot:
      return "/api/v4/spot/currency_pairs";
    case Venue::kGateFutures:
      return "/api/v4/futures/usdt/contracts";
  }
  return {};
}

/// The smallest difference at so many decimals: "0.01".
std::string step(int decimals) { return number_text({1, decimals}, {}); }

/// What stands before the quote currency and its separator.
std::string_view base_of(std::string_view symbol) {
  const size_t quote = symbol.rfind(kQuote);
  std::string_view base = symbol.substr(0, quote == std::string_view::npos ? symbol.size() : quote);
  if (base.ends_with('-') || base.ends_with('_')) base.remove_suffix(1);
  return base;
}

std::string binance_entry(Venue venue, const Instrument& instrument) {
  const std::string_view base = base_of(instrument.symbol);
  const std::string contract =
      venue == Venue::kBinanceUsdm
          ? fmt::format(R"("pair":"{}","contractType":"PERPETUAL",)", instrument.symbol)
          : std::string();
  return fmt::format(
      R"({{"symbol":"{}",{}"status":"{}","baseAsset":"{}","quoteAsset":"USDT","filters":[{{"filterType":"PRICE_FILTER","tickSize":"{}"}},{{"filterType":"LOT_SIZE","stepSize":"{}"}}]}})",
      instrument.symbol, contract,
      instrument.listed              ? "TRADING"
      : venue == Venue::kBinanceUsdm ? "CLOSE"
                                     : "BREAK",
      base, step(instrument.price_decimals), step(instrument.quantity_decimals));
}

std::string_view volume_path_of(Venue venue) {
  switch (venue) {
    case Venue::kBinanceSpot:
    case Venue::kBinanceSpotSbe:
      return "/api/v3/ticker/24hr";
    case Venue::kBinanceUsdm:
      return "/fapi/v1/ticker/24hr";
    case Venue::kKucoinSpot:
      return "/api/v1/market/allTickers";
    case Venue::kKucoinFutures:
      break;  // with the instruments
    case Venue::kGateSpot:
      return "/api/v4/spot/tickers";
    case Venue::kGateFutures:
      return "/api/v4/futures/usdt/tickers";
  }
  return {};
}

double quote_volume(const Market& market, size_t symbol_index) {
  constexpr double kLargest = 1e9;
  return market.is_listed(symbol_index) ? kLargest / (static_cast<double>(symbol_index) + 1) : 0;
}

std::string volume_entry(Venue venue, const std::string& symbol, double volume) {
  switch (venue) {
    case Venue::kKucoinSpot:
      return fmt::format(R"({{"symbol":"{}","volValue":"{:.8f}"}})", symbol, volume);
    case Venue::kGateSpot:
      return fmt::format(R"({{"currency_pair":"{}","quote_volume":"{:.4f}"}})", symbol, volume);
    case Venue::kGateFutures:
      return fmt::format(R"({{"contract":"{}","volume_24h_quote":"{:.0f}"}})", symbol, volume);
    default:
      return fmt::format(R"({{"symbol":"{}","quoteVolume":"{:.8f}"}})", symbol, volume);
  }
}

/// Empty for a delisted one where the venue's list leaves those out.
std::string entry_of(Venue venue, const Instrument& instrument, double volume) {
  const std::string_view base = base_of(instrument.symbol);
  switch (venue) {
    case Venue::kBinanceSpot:
    case Venue::kBinanceSpotSbe:
    case Venue::kBinanceUsdm:
      return binance_entry(venue, instrument);
    case Venue::kKucoinSpot:
      return fmt::format(
          R"({{"symbol":"{0}","name":"{0}","baseCurrency":"{1}","quoteCurrency":"USDT","baseIncrement":"{2}","priceIncrement":"{3}","enableTrading":{4}}})",
          instrument.symbol, base, step(instrument.quantity_decimals),
          step(instrument.price_decimals), instrument.listed);
    case Venue::kKucoinFutures:
      if (!instrument.listed) return {};
      return fmt::format(
          R"({{"symbol":"{}","baseCurrency":"{}","quoteCurrency":"USDT","multiplier":0.001,"lotSize":1,"tickSize":{},"isInverse":false,"turnoverOf24h":{},"status":"Open"}})",
          instrument.symbol, base, step(instrument.price_decimals), volume);
    case Venue::kGateSpot:
      return fmt::format(
          R"({{"id":"{}","base":"{}","quote":"USDT","amount_precision":{},"precision":{},"trade_status":"{}"}})",
          instrument.symbol, base, instrument.quantity_decimals, instrument.price_decimals,
          instrument.listed ? "tradable" : "untradable");
    case Venue::kGateFutures:
      return fmt::format(
          R"({{"name":"{}","type":"direct","quanto_multiplier":"0.0001","order_price_round":"{}","order_size_min":1,"in_delisting":{}}})",
          instrument.symbol, step(instrument.price_decimals), !instrument.listed);
  }
  return {};
}

/// A list of what `entry_at` says of each symbol, without those of which it says nothing.
template <typename EntryAt>
std::string join(const Market& market, EntryAt entry_at) {
  std::string list = "[";
  for (size_t i = 0; i < market.symbol_count(); ++i) {
    const std::string entry = entry_at(i);
    if (entry.empty()) continue;
    if (list.size() > 1) list += ',';
    list += entry;
  }
  return list + ']';
}

}  // namespace

std::optional<std::string> instrument_list(Venue venue, const Market& market, std::string_view path,
                                           int64_t now_ns) {
  if (path != path_of(venue)) return std::nullopt;
  std::string list = join(market, [&](size_t i) {
    return entry_of(venue, market.instrument(i), quote_volume(market, i));
  });
  switch (venue) {
    case Venue::kGateSpot:
    case Venue::kGateFutures:
      return list;
    case Venue::kKucoinSpot:
    case Venue::kKucoinFutures:
      return fmt::format(R"({{"code":"200000","data":{}}})", list);
    default:
      return fmt::format(R"({{"timezone":"UTC","serverTime":{},"symbols":{}}})",
                         now_ns / kMillisecondNs, list);
  }
}

std::optional<std::string> volume_list(Venue venue, const Market& market, std::string_view path,
                                       int64_t now_ns) {
  if (path.empty() || path != volume_path_of(venue)) return std::nullopt;
  std::string list = join(market, [&](size_t i) {
    return volume_entry(venue, market.symbol(i), quote_volume(market, i));
  });
  if (venue != Venue::kKucoinSpot) return list;
  return fmt::format(R"({{"code":"200000","data":{{"time":{},"ticker":{}}}}})",
                     now_ns / kMillisecondNs, list);
}

}  // namespace tapeworks::simulator
