#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/calendar_day.h"
#include "base/double_double.h"

namespace tapeworks {

/// Shares that were bought (long) or sold (short) together and are still open.
struct Lot {
  int64_t shares = 0;         ///< always positive
  double cost_per_share = 0;  ///< the average price of the trade that opened it
  Day open_date;
};

/// What one account traded on one day.
struct DayTrade {
  Day date;
  int64_t buy_shares = 0;
  int64_t sell_shares = 0;
  double buy_amount = 0;
  double sell_amount = 0;
};

/// The lots of one account in one symbol, matched first in, first out, with shorts and flips.
///
/// The k-th share bought is always matched with the k-th share sold, so the matching is a merge of
/// two cumulative sums of shares, and what is open is the end of one side. The gain of a match is
/// its shares times what they were sold for less what they were bought for, whichever came first,
/// and matches in the order of shares are in the order of time. So the days of an account are taken
/// in together and then merged, without branches on who traded what: a processor would mispredict
/// about one of them in each row.
///
/// Memory: at most 40 bytes a day and side of the account with the most, kept between accounts.
/// Threads: one at a time.
class FifoLots {
 public:
  /// Forgets all lots and keeps the memory.
  void clear() {
    bought_.clear();
    sold_.clear();
    matched_shares_ = 0;
  }

  /// Starts over from lots of one side, oldest first.
  void restore(bool is_long, std::span<const Lot> lots) {
    clear();
    Side& side = is_long ? bought_ : sold_;
    side.make_room(lots.size());
    Side::Appender appender(side);
    for (const Lot& lot : lots) appender.append(lot.shares, lot.cost_per_share, lot.open_date);
    side.commit(appender);
  }

  bool empty() const { return bought_.is_matched() && sold_.is_matched(); }
  /// Which side is open; true when empty().
  bool is_long() const { return sold_.is_matched(); }

  /// Calls `on_lot` with each open Lot, oldest first.
  template <typename OnLot>
  void for_each_open(OnLot&& on_lot) const {
    const Side& side = is_long() ? bought_ : sold_;
    int64_t begin = matched_shares_;
    for (size_t i = side.first_open; i < side.count; ++i) {
      const int64_t end = side.shares_up_to[i];
      on_lot(
          Lot{.shares = end - begin, .cost_per_share = side.price[i], .open_date = side.date[i]});
      begin = end;
    }
  }

  /// Trades the days `day_at(i)` of the account, i in [begin, end): ascending, and later than all
  /// before. On each, sells come first, then buys, each against the oldest lots of the other side;
  /// what remains opens a lot. Counts of zero or less do nothing. `on_realized` gets the gain of
  /// each lot that was touched, in order.
  template <typename DayAt, typename OnRealized>
  void trade(size_t begin, size_t end, DayAt&& day_at, OnRealized&& on_realized) {
    bought_.make_room(end - begin);
    sold_.make_room(end - begin);
    Side::Appender bought(bought_);
    Side::Appender sold(sold_);
    for (size_t i = begin; i < end; ++i) {
      const DayTrade day = day_at(i);
      bought.append(day.buy_shares, day.buy_amount / static_cast<double>(day.buy_shares), day.date);
      sold.append(day.sell_shares, day.sell_amount / static_cast<double>(day.sell_shares),
                  day.date);
    }
    bought_.commit(bought);
    sold_.commit(sold);
    match(on_realized);
  }

  /// The same for one day.
  template <typename OnRealized>
  void trade(const DayTrade& day, OnRealized&& on_realized) {
    trade(0, 1, [&](size_t) { return day; }, on_realized);
  }

 private:
  /// What was bought, or what was sold.
  struct Side {
    /// Puts days behind the others. Apart from the side, so that it stays in registers.
    struct Appender {
      explicit Appender(Side& side)
          : shares_up_to(side.shares_up_to.data()),
            price(side.price.data()),
            date(side.date.data()),
            count(side.count),
            shares(side.count == 0 ? 0 : side.shares_up_to[side.count - 1]) {}

      /// Writes always, and counts only a day with shares: `at_price` may be NaN without them.
      void append(int64_t added, double at_price, Day on_date) {
        shares += added > 0 ? added : 0;
        shares_up_to[count] = shares;
        price[count] = at_price;
        date[count] = on_date;
        count += added > 0 ? 1 : 0;
      }

      int64_t* shares_up_to;
      double* price;
      Day* date;
      size_t count;
      int64_t shares;
    };

    void clear() { count = first_open = 0; }
    bool is_matched() const { return first_open == count; }
    void commit(const Appender& appender) { count = appender.count; }

    /// For `added` days more, and for one that is written and not kept.
    void make_room(size_t added) {
      if (count + added < date.size()) return;
      const size_t size = std::max(count + added + 1, 2 * date.size());
      shares_up_to.resize(size);
      price.resize(size);
      date.resize(size);
    }

    std::vector<int64_t> shares_up_to;  ///< of this side, with those of the day
    std::vector<double> price;          ///< the average of the day
    std::vector<Day> date;
    size_t count = 0;       ///< days in the three arrays, which are larger
    size_t first_open = 0;  ///< the first day that is not matched, or not wholly
  };

  template <typename OnRealized>
  void match(OnRealized& on_realized) {
    const int64_t* const bought_up_to = bought_.shares_up_to.data();
    const int64_t* const sold_up_to = sold_.shares_up_to.data();
    const double* const buy_price = bought_.price.data();
    const double* const sell_price = sold_.price.data();
    size_t buy = bought_.first_open;
    size_t sell = sold_.first_open;
    int64_t matched = matched_shares_;
    while (buy < bought_.count && sell < sold_.count) {
      const int64_t bought = bought_up_to[buy];
      const int64_t sold = sold_up_to[sell];
      const int64_t end = bought < sold ? bought : sold;
      on_realized(static_cast<double>(end - matched) * (sell_price[sell] - buy_price[buy]));
      matched = end;
      buy += static_cast<size_t>(bought == end);
      sell += static_cast<size_t>(sold == end);
    }
    bought_.first_open = buy;
    sold_.first_open = sell;
    matched_shares_ = matched;
  }

  Side bought_;
  Side sold_;
  int64_t matched_shares_ = 0;  ///< of each side
};

/// The unrealised gain at `price` in the reference's order: shares x difference, lot by lot.
inline double unrealized_by_lot(const FifoLots& lots, double price) {
  const bool is_long = lots.is_long();
  double sum = 0;
  lots.for_each_open([&](const Lot& lot) {
    const double gain = is_long ? price - lot.cost_per_share : lot.cost_per_share - price;
    sum += static_cast<double>(lot.shares) * gain;
  });
  return sum;
}

/// An account's open lots summed up, so that valuing them again costs the same for any number.
struct OpenPosition {
  int64_t shares = 0;  ///< always positive
  DoubleDouble cost;   ///< sum of shares x cost, as good as exact
  bool is_long = true;

  explicit OpenPosition(const FifoLots& lots) : is_long(lots.is_long()) {
    lots.for_each_open([&](const Lot& lot) {
      cost.add_product(static_cast<double>(lot.shares), lot.cost_per_share);
      shares += lot.shares;
    });
  }

  /// The gain at `price`, rounded once.
  double unrealized(double price) const {
    const double sign = is_long ? 1 : -1;
    DoubleDouble gain;
    gain.add_product(sign * static_cast<double>(shares), price);
    gain.add(DoubleDouble{-sign * cost.high, -sign * cost.low});
    return gain.value();
  }
};

}  // namespace tapeworks
