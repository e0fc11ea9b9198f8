#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "pipeline/market_model.h"

namespace tapeworks {

/// How much one symbol trades on one day. Both are 0 when it does not; otherwise each group has at
/// least one row.
struct CellSize {
  uint64_t row_count = 0;
  uint32_t group_count = 0;  ///< without the groups of desks, whose rows are among row_count
};

/// Splits the rows of a day among the symbols (one entry each): 3.6 rows a group wherever there are
/// brokers enough. The sum is exactly `row_count`.
std::vector<CellSize> plan_day(const MarketModel& model, uint32_t day, uint64_t row_count);

/// One trade line of the vendor: what a broker bought and sold of the symbol at one price.
struct TradeRow {
  uint32_t broker_index = 0;
  uint32_t price_level = 0;  ///< of the price ladder; 0 stands for "-", a trade without a price
  int64_t buy_shares = 0;
  int64_t sell_shares = 0;
};

/// All rows of one symbol on one day, made one after the other; the memory is that of its groups.
/// Over the rows with a price, the shares bought equal the shares sold.
///
/// Threads: one at a time; the model is shared.
class SymbolDayTrades {
 public:
  /// Keeps a reference to `model`.
  explicit SymbolDayTrades(const MarketModel& model);

  /// Goes to another cell.
  void plan(uint32_t day, uint32_t symbol_index, CellSize size);

  /// Groups of the planned cell, those of desks included.
  uint64_t group_count() const { return groups_.size() + desk_groups_.size(); }

  /// Calls sink(row) for the rows of stripe `stripe` of `stripe_count`, ordered by broker and
  /// price; all stripes together are all rows, and the rows of a group are dealt out to them in
  /// turn. Stops and returns false as soon as the sink returns false.
  template <typename Sink>
  bool emit(uint32_t stripe, uint32_t stripe_count, Sink&& sink) const;

 private:
  struct Group {
    uint32_t broker_index = 0;
    uint32_t first_level = 0;
    uint64_t first_row = 0;  ///< counted through the cell
    uint64_t row_count = 0;
    uint32_t share_max = 0;  ///< for one row, so that sums stay within int32
    uint16_t buy_bias = 0;   ///< in 1/65536
    uint16_t chance_bits = 0;
  };

  void draw_branches(const MarketSymbol& symbol, uint32_t group_count);
  void make_groups();
  void deal_out_rows(uint64_t group_rows_max);
  void plan_desks(uint64_t row_count);
  uint64_t first_row_of_stripe(const Group& group, uint32_t stripe, uint32_t stripe_count) const {
    return (stripe + group.chance_bits) % stripe_count;
  }
  uint32_t level_of_row(const Group& group, uint64_t row) const;
  int64_t trade_shares(uint64_t bits) const;
  TradeRow row_of_group(const Group& group, uint64_t row, const Group& partner) const;
  TradeRow row_of_desk(const Group& group, uint64_t row) const;

  const MarketModel& model_;
  std::vector<float> lots_quantiles_;
  std::vector<float> exponential_quantiles_;

  uint64_t key_ = 0;
  float activity_ = 1;
  DayPrices prices_;
  uint64_t priced_rows_ = 0;
  std::vector<uint64_t> chosen_branches_;  ///< one bit a branch
  std::vector<double> extra_weights_;      ///< one a group
  std::vector<Group> groups_;              ///< ascending by broker
  std::vector<Group> desk_groups_;         ///< likewise
};

inline uint32_t SymbolDayTrades::level_of_row(const Group& group, uint64_t row) const {
  const uint32_t level_count = prices_.level_count;
  if (group.row_count <= level_count) {
    return prices_.low_level + group.first_level + static_cast<uint32_t>(row);
  }
  // More rows than prices: some prices occur several times.
  const double place =
      static_cast<double>(row) * level_count / static_cast<double>(group.row_count);
  return prices_.low_level + std::min(static_cast<uint32_t>(place), level_count - 1);
}

inline int64_t SymbolDayTrades::trade_shares(uint64_t bits) const {
  const uint64_t size_bits = bits >> 16 & 0xffff;
  if ((bits & 0xff) < 36) return 1 + static_cast<int64_t>(size_bits * 999 >> 16);  // an odd lot
  const float lots = std::clamp(lots_quantiles_[size_bits >> 4] * activity_, 1.0F, 4000.0F);
  return static_cast<int64_t>(lots) * 1000;
}

/// Row i and row n - 1 - i of a cell are the two sides of one trade, made from the same random
/// bits.
inline TradeRow SymbolDayTrades::row_of_group(const Group& group, uint64_t row,
                                              const Group& partner) const {
  const uint64_t place = group.first_row + row;
  const uint64_t mirror = priced_rows_ - 1 - place;
  const bool is_first = place <= mirror;
  const uint64_t bits = random_bits(key_, std::min(place, mirror));
  const int64_t share_max = std::min(group.share_max, partner.share_max);
  const int64_t shares = std::min(trade_shares(bits), share_max);
  TradeRow result{.broker_index = group.broker_index,
                  .price_level = level_of_row(group, row),
                  .buy_shares = shares,
                  .sell_shares = shares};
  if (place == mirror) return result;
  if ((bits >> 8 & 0xff) < 18) {  // 7 % buy and sell at the same price
    const auto ratio =
        static_cast<int64_t>(13107 + ((bits >> 32 & 0xffff) * 91750 >> 16));  // / 2^16
    const int64_t other = std::clamp<int64_t>(shares * ratio >> 16, 1, share_max);
    (is_first ? result.sell_shares : result.buy_shares) = other;
    return result;
  }
  const Group& first = is_first ? group : partner;
  const Group& second = is_first ? partner : group;
  const uint32_t first_buys_below = (65536U + first.buy_bias - second.buy_bias) / 2;
  const bool first_buys = bits >> 48 < first_buys_below;
  (first_buys == is_first ? result.sell_shares : result.buy_shares) = 0;
  return result;
}

template <typename Sink>
bool SymbolDayTrades::emit(uint32_t stripe, uint32_t stripe_count, Sink&& sink) const {
  auto desk = desk_groups_.begin();
  const auto emit_desks_before = [&](uint32_t broker_index) {
    for (; desk != desk_groups_.end() && desk->broker_index < broker_index; ++desk) {
      for (uint64_t row = first_row_of_stripe(*desk, stripe, stripe_count); row < desk->row_count;
           row += stripe_count) {
        if (!sink(row_of_desk(*desk, row))) return false;
      }
    }
    return true;
  };
  size_t partner = groups_.size();  // one above the group of the mirrored row
  for (const Group& group : groups_) {
    if (!emit_desks_before(group.broker_index)) return false;
    for (uint64_t row = first_row_of_stripe(group, stripe, stripe_count); row < group.row_count;
         row += stripe_count) {
      const uint64_t mirror = priced_rows_ - 1 - (group.first_row + row);
      while (partner == groups_.size() || groups_[partner].first_row > mirror) --partner;
      if (!sink(row_of_group(group, row, groups_[partner]))) return false;
    }
  }
  return emit_desks_before(UINT32_MAX);
}

}  // namespace tapeworks
