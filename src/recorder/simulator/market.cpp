#include "recorder/simulator/market.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/lower_case.h"
#include "base/random.h"

namespace tapeworks::simulator {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
/// More events a second than a symbol will ever have, so that ids rise over restarts.
constexpr int64_t kIdsPerSecond = 10'000;
constexpr size_t kLevelCount = 5;
constexpr size_t kSbeLevelCount = 20;  // SBE has no stream of five levels
constexpr int64_t kPriceTicksMin = 1'000;
constexpr uint32_t kPlaceholderShare = 80;  // one of so many trades, as measured on BTCUSDT
/// An empty book beyond this size would only make the numbers unlike real ones.
constexpr uint32_t kQuantityMax = 100'000;

struct KnownCoin {
  std::string_view name;
  int64_t price_ticks;
  int price_decimals;
};
constexpr std::array kKnownCoins{
    KnownCoin{"BTC", 6'012'345, 2}, KnownCoin{"ETH", 312'345, 2},  KnownCoin{"SOL", 145'210, 3},
    KnownCoin{"BNB", 59'870, 2},    KnownCoin{"XRP", 52'345, 5},   KnownCoin{"DOGE", 101'230, 6},
    KnownCoin{"ADA", 34'510, 5},    KnownCoin{"TRX", 15'432, 5},   KnownCoin{"LINK", 11'234, 3},
    KnownCoin{"SHIB", 13'456, 9},   KnownCoin{"1INCH", 24'680, 5}, KnownCoin{"DOT", 42'340, 4},
    KnownCoin{"LTC", 6'543, 2},     KnownCoin{"UNI", 67'890, 4},   KnownCoin{"ATOM", 45'670, 4},
    KnownCoin{"PEPE", 78'901, 10}};

/// The name of pair number `index`, as the venue's REST interface spells it.
std::string symbol_name(Venue venue, size_t index) {
  const std::string coin = index < kKnownCoins.size() ? std::string(kKnownCoins[index].name)
                                                      : fmt::format("C{:03}", index);
  switch (venue) {
    case Venue::kBinanceSpot:
    case Venue::kBinanceSpotSbe:
    case Venue::kBinanceUsdm:
      return coin + "USDT";
    case Venue::kKucoinSpot:
      return coin + "-USDT";
    case Venue::kKucoinFutures:
      return (coin == "BTC" ? "XBT" : coin) + "USDTM";
    case Venue::kGateSpot:
    case Venue::kGateFutures:
      return coin + "_USDT";
  }
  return coin;
}

int quantity_decimals(Venue venue, size_t index) {
  switch (venue) {
    case Venue::kBinanceSpot:
    case Venue::kBinanceSpotSbe:
    case Venue::kKucoinSpot:
      return 8;
    case Venue::kBinanceUsdm:
      return 3;
    case Venue::kGateSpot:
      return 6;
    case Venue::kKucoinFutures:
      return 0;
    case Venue::kGateFutures:
      // Some contracts trade in fractions, which only shows with X-Gate-Size-Decimal.
      return index % 4 == 1 ? 1 : 0;
  }
  return 0;
}

}  // namespace

Market::Market(Venue venue, size_t symbol_count, uint64_t seed, int64_t start_ns)
    : venue_(venue), seed_(seed), start_ns_(start_ns) {
  for (size_t i = 0; i < symbol_count; ++i) list(symbol_name(venue, i));
}

void Market::list(std::string name) {
  if (const auto known = index_.find(name); known != index_.end()) {
    symbols_[known->second].listed = true;
    return;
  }
  const size_t index = symbols_.size();
  Symbol symbol;
  symbol.key = derive_key(derive_key(seed_, static_cast<uint64_t>(venue_)), index);
  if (index < kKnownCoins.size()) {
    symbol.price_ticks = kKnownCoins[index].price_ticks;
    symbol.price_decimals = kKnownCoins[index].price_decimals;
  } else {
    symbol.price_ticks = 10'000 + random_below(random_bits(symbol.key, 0), 90'000);
    symbol.price_decimals = 2 + static_cast<int>(random_below(random_bits(symbol.key, 1), 5));
  }
  symbol.quantity_decimals = quantity_decimals(venue_, index);
  symbol.last_sequence = start_ns_ / kSecondNs * kIdsPerSecond;
  symbol.last_trade_id = start_ns_ / kSecondNs * kIdsPerSecond / 10;
  symbol.name = std::move(name);
  index_.emplace(symbol.name, index);
  lower_case_index_.emplace(lower_case(symbol.name), index);
  symbols_.push_back(std::move(symbol));
}

void Market::delist(std::string_view name) {
  if (const auto known = index_.find(name); known != index_.end()) {
    symbols_[known->second].listed = false;
  }
}

std::optional<size_t> Market::find(std::string_view name, bool ignore_case) const {
  const auto& index = ignore_case ? lower_case_index_ : index_;
  const auto found = index.find(name);
  if (found == index.end() || !symbols_[found->second].listed) return std::nullopt;
  return found->second;
}

MarketEvent Market::next(Stream stream, size_t symbol_index, uint64_t logical_id, int64_t now_ns) {
  Symbol& symbol = symbols_[symbol_index];
  const uint64_t random_key = derive_key(symbol.key, logical_id);
  const int64_t unit_ns = facts_of(venue_).time_unit_ns;
  MarketEvent event;
  event.logical_id = logical_id;
  event.stream = stream;
  event.symbol = symbol.name;
  event.exchange_time_ns = now_ns / unit_ns * unit_ns;
  event.event_time_ns =
      event.exchange_time_ns - random_below(random_bits(random_key, 0), 3) * unit_ns;
  event.previous_sequence = symbol.last_sequence;
  symbol.last_sequence += 1 + random_below(random_bits(random_key, 1), 20);
  event.sequence = symbol.last_sequence;

  const double step = bell_shaped(random_bits(random_key, 2)) * 3;
  symbol.price_ticks = std::max(kPriceTicksMin, symbol.price_ticks + static_cast<int64_t>(step));
  if (stream == Stream::kTrade) {
    // Gate's spot trades have microseconds where everything else of it has milliseconds.
    if (venue_ == Venue::kGateSpot) {
      event.event_time_ns += static_cast<int64_t>(logical_id % 1000) * 1000;
    }
    add_trades(event, symbol, random_key);
    for (const Trade& trade : event.trades) {
      if (trade.is_placeholder) continue;
      if (past_trades_.size() == kPastTradesMax) past_trades_.pop_front();
      past_trades_.push_back({symbol_index, event.event_time_ns, trade});
    }
  } else {
    add_books(event, symbol, random_key);
  }
  return event;
}

void Market::add_books(MarketEvent& event, const Symbol& symbol, uint64_t random_key) const {
  const size_t depth = venue_ == Venue::kBinanceSpotSbe ? kSbeLevelCount : kLevelCount;
  const size_t count = event.stream == Stream::kL5 ? depth : 1;
  uint64_t draw = 10;
  const auto quantity = [&] {
    return Fixed{
        1 + static_cast<int64_t>(random_below(random_bits(random_key, ++draw), kQuantityMax)),
        symbol.quantity_decimals};
  };
  int64_t bid_ticks = symbol.price_ticks;
  int64_t ask_ticks = symbol.price_ticks + 1;
  for (size_t i = 0; i < count; ++i) {
    event.bids.push_back({{bid_ticks, symbol.price_decimals}, quantity()});
    event.asks.push_back({{ask_ticks, symbol.price_decimals}, quantity()});
    bid_ticks -= 1 + random_below(random_bits(random_key, ++draw), 9);
    ask_ticks += 1 + random_below(random_bits(random_key, ++draw), 9);
  }
  event.bids.front().quantity.mantissa = static_cast<int64_t>(event.logical_id);
}

void Market::add_trades(MarketEvent& event, Symbol& symbol, uint64_t random_key) const {
  const uint64_t shape = random_bits(random_key, 3);
  const bool in_lists = venue_ == Venue::kBinanceSpotSbe || venue_ == Venue::kGateFutures;
  const size_t count = in_lists && random_below(shape, 4) == 0 ? 2 + (shape & 1) : 1;
  for (size_t i = 0; i < count; ++i) {
    Trade trade;
    trade.taker_sold = (shape & 2) != 0;
    // One order that takes several makers' goes through the book away from the price.
    const auto away = static_cast<int64_t>(i);
    trade.price = {symbol.price_ticks + (trade.taker_sold ? -away : away), symbol.price_decimals};
    trade.quantity = {static_cast<int64_t>(event.logical_id + i), symbol.quantity_decimals};
    const bool shares_counter = venue_ == Venue::kKucoinSpot || venue_ == Venue::kKucoinFutures;
    trade.id = shares_counter ? event.sequence : ++symbol.last_trade_id;
    if (venue_ == Venue::kBinanceUsdm &&
        random_below(random_bits(random_key, 4), kPlaceholderShare) == 0) {
      trade.is_placeholder = true;
      trade.price = {0, 0};
      trade.quantity = {0, 0};
    }
    event.trades.push_back(trade);
  }
  event.sequence = event.trades.front().id;
}

}  // namespace tapeworks::simulator
