#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/calendar_day.h"
#include "pipeline/market_names.h"

namespace tapeworks {

/// The most price levels at which a symbol trades on one day.
inline constexpr uint32_t kDayLevelsMax = 400;

/// The most trading days; of symbols and brokers: market_names.h.
inline constexpr uint32_t kDayCountMax = 10'000;

/// The size of a made-up market. Limits: check_generate_options.
struct MarketSize {
  uint32_t symbol_count = 500;
  uint32_t broker_count = 300;
  uint32_t day_count = 120;
  Day start = Day{19297};  ///< 2022-11-01; the first day on which there may be trades
  uint64_t seed = 1;
};

/// One made-up stock.
struct MarketSymbol {
  std::string code;
  double weight = 0;          ///< its share of all (symbol, broker, date) groups, relative
  float activity = 1;         ///< factor on the rows of a group and on the size of a trade
  uint32_t listed_from = 0;   ///< index of its first trading day
  uint32_t listed_until = 0;  ///< index of the day after its last
  bool has_closes = true;
  double start_price = 0;    ///< money
  double volatility = 0;     ///< standard deviation of a day's return
  uint32_t taste_shift = 0;  ///< turns the popularity of the branches for this symbol
};

/// One made-up branch; desks never trade at a price and are kept apart.
struct MarketBranch {
  uint32_t broker_index = 0;  ///< into MarketModel::brokers()
  float activity = 1;         ///< factor on the rows of a group
  uint16_t buy_bias = 32768;  ///< its share of buys, in 1/65536
};

/// The prices at which a symbol trades on one day, as levels of the price ladder.
struct DayPrices {
  uint32_t low_level = 0;
  uint32_t level_count = 0;  ///< at least 2
  uint32_t close_level = 0;  ///< within [low_level, low_level + level_count)
};

/// The unchanging part of a made-up market: who is there and how active, which days, what prices.
/// Everything is a function of MarketSize alone. Memory: symbols + brokers + days, not their
/// product. Threads: const members from any.
class MarketModel {
 public:
  explicit MarketModel(const MarketSize& size);

  const MarketSize& size() const { return size_; }
  std::span<const MarketSymbol> symbols() const { return symbols_; }
  std::span<const BrokerName> brokers() const { return brokers_; }
  std::span<const MarketBranch> branches() const { return branches_; }
  /// Indices into brokers().
  std::span<const uint32_t> desks() const { return desks_; }
  std::span<const Day> days() const { return days_; }

  /// Splits `row_count` rows among the days.
  std::vector<uint64_t> rows_per_day(uint64_t row_count) const;

  bool is_listed(uint32_t day, const MarketSymbol& symbol) const {
    return symbol.listed_from <= day && day < symbol.listed_until;
  }
  bool is_busiest(const MarketSymbol& symbol) const { return symbol.code == kBusiestSymbol; }

  DayPrices prices(uint32_t day, uint32_t symbol_index) const;

  /// A branch (index into branches()) by popularity, mixed with the taste of `symbol`.
  uint32_t draw_branch(const MarketSymbol& symbol, uint64_t bits) const {
    const auto count = static_cast<uint32_t>(branches_.size());
    const uint64_t scaled = (bits >> 32) * count;
    auto branch = static_cast<uint32_t>(scaled >> 32);
    if (static_cast<uint32_t>(scaled) > alias_[branch].threshold) branch = alias_[branch].other;
    if (static_cast<uint32_t>(bits) < kOwnTaste) {
      branch += symbol.taste_shift;
      if (branch >= count) branch -= count;
    }
    return branch;
  }

  /// The key of a purpose's random numbers for one (day, symbol).
  uint64_t cell_key(uint32_t day, uint32_t symbol_index) const;

 private:
  /// One column of Walker's alias method: draws by weight in constant time.
  struct AliasEntry {
    uint32_t threshold = 0;
    uint32_t other = 0;
  };
  static constexpr uint32_t kOwnTaste = 0x5999'9999;  // 35 % of 2^32

  void make_days();
  void make_symbols();
  void make_brokers_and_branches();
  void make_alias_table(const std::vector<double>& weights);
  double random_walk(uint32_t symbol_index, uint32_t day) const;

  MarketSize size_;
  std::vector<Day> days_;
  std::vector<MarketSymbol> symbols_;
  std::vector<BrokerName> brokers_;
  std::vector<MarketBranch> branches_;
  std::vector<uint32_t> desks_;
  std::vector<AliasEntry> alias_;
};

}  // namespace tapeworks
