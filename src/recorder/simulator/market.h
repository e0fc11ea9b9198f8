#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "recorder/simulator/venue.h"

namespace tapeworks::simulator {

/// mantissa / 10^decimals.
struct Fixed {
  int64_t mantissa = 0;
  int decimals = 0;
};

struct Level {
  Fixed price;
  Fixed quantity;
};

struct Trade {
  int64_t id = 0;
  Fixed price;
  Fixed quantity;
  bool taker_sold = false;
  bool is_placeholder = false;  ///< uses up an id and is no trade (Binance USD-M)
};

/// Something that happened in a market, before a venue writes it in its own way.
struct MarketEvent {
  uint64_t logical_id = 0;  ///< the number of the message, from 1 on in the whole simulation
  Stream stream = Stream::kBook;
  std::string symbol;
  int64_t event_time_ns = 0;  ///< whole units of the venue
  int64_t exchange_time_ns = 0;
  int64_t sequence = 0;
  int64_t previous_sequence = 0;  ///< of the symbol, whatever the stream
  std::vector<Level> bids;        ///< one for a book, five for an l5 (SBE: 20); best first
  std::vector<Level> asks;
  std::vector<Trade> trades;
};

/// A trade that was made, for who asks later.
struct PastTrade {
  size_t symbol_index = 0;
  int64_t event_time_ns = 0;  ///< whole units of the venue
  Trade trade;
};

/// What a venue's list of symbols says about one.
struct Instrument {
  std::string symbol;
  bool listed = true;
  int price_decimals = 0;
  int quantity_decimals = 0;
};

/// An invented market of one venue: symbols whose prices walk at random, books around them, and
/// trades with ids that rise by one. A pure function of seed, calls and times.
///
/// The number of the message is the quantity of the best bid and of the first trade, in the
/// smallest unit of the symbol, so that no two rows are equal.
class Market {
 public:
  /// Ids start at a multiple of `start_ns`, so that they rise over restarts too.
  Market(Venue venue, size_t symbol_count, uint64_t seed, int64_t start_ns);

  /// All that were ever listed, by index.
  const std::string& symbol(size_t index) const { return symbols_[index].name; }
  size_t symbol_count() const { return symbols_.size(); }
  Instrument instrument(size_t index) const {
    const Symbol& symbol = symbols_[index];
    return {symbol.name, symbol.listed, symbol.price_decimals, symbol.quantity_decimals};
  }
  bool is_listed(size_t index) const { return symbols_[index].listed; }
  /// The index of a listed symbol. `ignore_case` is for stream names of lower case letters.
  std::optional<size_t> find(std::string_view name, bool ignore_case) const;

  void list(std::string name);
  void delist(std::string_view name);

  /// `now_ns` is cut to the venue's unit of time.
  MarketEvent next(Stream stream, size_t symbol_index, uint64_t logical_id, int64_t now_ns);

  /// The last trades of all symbols, oldest first; without placeholders.
  const std::deque<PastTrade>& past_trades() const { return past_trades_; }
  static constexpr size_t kPastTradesMax = 100'000;

 private:
  struct Symbol {
    std::string name;
    bool listed = true;
    uint64_t key = 0;
    int64_t price_ticks = 0;
    int price_decimals = 2;
    int quantity_decimals = 0;
    int64_t last_sequence = 0;
    int64_t last_trade_id = 0;
  };

  void add_books(MarketEvent& event, const Symbol& symbol, uint64_t random_key) const;
  void add_trades(MarketEvent& event, Symbol& symbol, uint64_t random_key) const;

  Venue venue_;
  uint64_t seed_;
  int64_t start_ns_;
  std::vector<Symbol> symbols_;
  std::deque<PastTrade> past_trades_;
  std::map<std::string, size_t, std::less<>> index_;
  std::map<std::string, size_t, std::less<>> lower_case_index_;
};

}  // namespace tapeworks::simulator
