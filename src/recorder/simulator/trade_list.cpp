#include "recorder/simulator/trade_list.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <ranges>
#include <vector>

#include <fmt/format.h>

#include "recorder/simulator/session.h"
#include "recorder/simulator/wire_event.h"

namespace tapeworks::simulator {
namespace {

using namespace std::chrono_literals;
using Trades = std::vector<const PastTrade*>;

constexpr int64_t kMicrosecondNs = 1'000;
constexpr int64_t kMillisecondNs = 1'000'000;
constexpr int64_t kSecondNs = 1'000'000'000;

std::optional<int64_t> number_in(std::string_view target, std::string_view name) {
  const std::string text = query_value(target, name);
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

std::string_view symbol_parameter(Venue venue) {
  if (venue == Venue::kGateSpot) return "currency_pair";
  return venue == Venue::kGateFutures ? "contract" : "symbol";
}

/// The first or the last `count` of them.
Trades some_of(const Trades& trades, size_t count, bool from_begin) {
  count = std::min(count, trades.size());
  const auto begin = from_begin ? trades.begin() : trades.end() - static_cast<ptrdiff_t>(count);
  return {begin, begin + static_cast<ptrdiff_t>(count)};
}

/// Which trades a request is about, in the order in which the venue sends them.
Trades select(Venue venue, const Trades& all, std::string_view target, size_t rows_max) {
  const size_t limit = static_cast<size_t>(
      std::clamp<int64_t>(number_in(target, "limit").value_or(static_cast<int64_t>(rows_max)), 1,
                          static_cast<int64_t>(rows_max)));
  Trades wanted;
  switch (venue) {
    case Venue::kBinanceSpot:
    case Venue::kBinanceSpotSbe:
    case Venue::kGateSpot: {
      const bool is_gate = venue == Venue::kGateSpot;
      const auto number = number_in(target, is_gate ? "last_id" : "fromId");
      if (!number) return some_of(all, limit, false);
      const int64_t first = is_gate ? *number + 1 : *number;
      std::ranges::copy_if(all, std::back_inserter(wanted),
                           [&](const PastTrade* past) { return past->trade.id >= first; });
      return some_of(wanted, limit, true);
    }
    case Venue::kBinanceUsdm:
      return some_of(all, limit, false);
    case Venue::kKucoinSpot:
    case Venue::kKucoinFutures:
      wanted = some_of(all, rows_max, false);
      break;
    case Venue::kGateFutures: {
      const int64_t from_ns = number_in(target, "from").value_or(0) * kSecondNs;
      const auto to = number_in(target, "to");
      const int64_t to_ns = to ? *to * kSecondNs : std::numeric_limits<int64_t>::max();
      std::ranges::copy_if(all, std::back_inserter(wanted), [&](const PastTrade* past) {
        return from_ns <= past->event_time_ns && past->event_time_ns <= to_ns;
      });
      wanted = some_of(wanted, limit, false);
      break;
    }
  }
  // These two begin with the newest.
  std::ranges::reverse(wanted);
  return wanted;
}

std::string binance_trade(const PastTrade& past, int64_t unit_ns) {
  const Trade& trade = past.trade;
  return fmt::format(
      R"({{"id":{},"price":"{}","qty":"{}","quoteQty":"0","time":{},"isBuyerMaker":{},"isBestMatch":true}})",
      trade.id, number_text(trade.price, {}), number_text(trade.quantity, {}),
      past.event_time_ns / unit_ns, trade.taker_sold);
}

std::string kucoin_trade(Venue venue, const PastTrade& past) {
  const Trade& trade = past.trade;
  const std::string_view side = trade.taker_sold ? "sell" : "buy";
  if (venue == Venue::kKucoinSpot) {
    return fmt::format(R"({{"sequence":"{}","price":"{}","size":"{}","side":"{}","time":{}}})",
                       trade.id, number_text(trade.price, {}), number_text(trade.quantity, {}),
                       side, past.event_time_ns);
  }
  return fmt::format(
      R"({{"sequence":{0},"tradeId":"{0}","takerOrderId":"1","makerOrderId":"2","price":"{1}","size":{2},"side":"{3}","ts":{4}}})",
      trade.id, number_text(trade.price, {}), number_text(trade.quantity, {}), side,
      past.event_time_ns);
}

std::string gate_trade(Venue venue, const PastTrade& past, std::string_view symbol) {
  const Trade& trade = past.trade;
  const int64_t time_us = past.event_time_ns / kMicrosecondNs;
  if (venue == Venue::kGateSpot) {
    return fmt::format(
        R"({{"id":"{}","create_time":"{}","create_time_ms":"{}.{:03}000","currency_pair":"{}","side":"{}","amount":"{}","price":"{}","sequence_id":"{}"}})",
        trade.id, time_us / 1'000'000, time_us / 1'000, time_us % 1'000, symbol,
        trade.taker_sold ? "sell" : "buy", number_text(trade.quantity, {}),
        number_text(trade.price, {}), trade.id);
  }
  const int64_t time_ms = past.event_time_ns / kMillisecondNs;
  return fmt::format(
      R"({{"id":{},"create_time":{},"create_time_ms":{}.{:03},"contract":"{}","size":"{}{}","price":"{}"}})",
      trade.id, time_ms / 1000, time_ms / 1000, time_ms % 1000, symbol, trade.taker_sold ? "-" : "",
      number_text(trade.quantity, {}), number_text(trade.price, {}));
}

std::string trade_text(Venue venue, const PastTrade& past, std::string_view symbol,
                       bool in_microseconds) {
  switch (venue) {
    case Venue::kKucoinSpot:
    case Venue::kKucoinFutures:
      return kucoin_trade(venue, past);
    case Venue::kGateSpot:
    case Venue::kGateFutures:
      return gate_trade(venue, past, symbol);
    default:
      return binance_trade(past, in_microseconds ? kMicrosecondNs : kMillisecondNs);
  }
}

}  // namespace

const TradeListRules& trade_list_rules(Venue venue) {
  static constexpr TradeListRules kBinanceSpot{"/api/v3/historicalTrades", 1000, 240, 60s};
  static constexpr TradeListRules kBinanceUsdm{"/fapi/v1/trades", 1000, 480, 60s};
  static constexpr TradeListRules kKucoinSpot{"/api/v1/market/histories", 100, 666, 30s};
  static constexpr TradeListRules kKucoinFutures{"/api/v1/trade/history", 100, 400, 30s};
  static constexpr TradeListRules kGateSpot{"/api/v4/spot/trades", 1000, 200, 10s};
  static constexpr TradeListRules kGateFutures{"/api/v4/futures/usdt/trades", 1000, 200, 10s};
  switch (venue) {
    case Venue::kBinanceSpot:
    case Venue::kBinanceSpotSbe:
      return kBinanceSpot;
    case Venue::kBinanceUsdm:
      return kBinanceUsdm;
    case Venue::kKucoinSpot:
      return kKucoinSpot;
    case Venue::kKucoinFutures:
      return kKucoinFutures;
    case Venue::kGateSpot:
      return kGateSpot;
    case Venue::kGateFutures:
      break;
  }
  return kGateFutures;
}

std::optional<std::string> trade_list(Venue venue, const Market& market, std::string_view target,
                                      bool in_microseconds, TradeListAnswer answer) {
  const std::string symbol = query_value(target, symbol_parameter(venue));
  const auto index = market.find(symbol, false);
  if (!index) return std::nullopt;
  Trades all;
  for (const PastTrade& past : market.past_trades()) {
    if (past.symbol_index == *index) all.push_back(&past);
  }
  Trades chosen = select(venue, all, target, trade_list_rules(venue).rows_max);
  if (answer == TradeListAnswer::kEmpty) chosen.clear();
  if (answer == TradeListAnswer::kSecondHalf) {
    std::ranges::sort(chosen, {}, [](const PastTrade* past) { return past->trade.id; });
    chosen = some_of(chosen, (chosen.size() + 1) / 2, false);
  }
  std::string list = "[";
  for (const PastTrade* past : chosen) {
    if (list.size() > 1) list += ',';
    list += trade_text(venue, *past, symbol, in_microseconds);
  }
  list += ']';
  const bool is_wrapped = venue == Venue::kKucoinSpot || venue == Venue::kKucoinFutures;
  return is_wrapped ? fmt::format(R"({{"code":"200000","data":{}}})", list) : list;
}

}  // namespace tapeworks::simulator
