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

/// The open lots of one account in one symbol, matched first in, first out, with shorts and flips.
///
/// The k-th share bought is always matched with the k-th share sold, so the matching is a merge of
/// two cumulative sums, and the state to keep is the unmatched tail: lots of one side only, oldest
/// first. They stand in one array that is consumed from its head and reused between accounts.
///
/// Threads: one at a time.
class FifoLots {
 public:
  /// Forgets all lots and keeps the memory.
  void clear() {
    lots_.clear();
    head_ = 0;
  }

  /// Starts over from lots of one side, oldest first.
  void restore(bool is_long, std::span<const Lot> lots) {
    lots_.assign(lots.begin(), lots.end());
    head_ = 0;
    is_long_ = is_long;
  }

  bool empty() const { return head_ == lots_.size(); }
  /// Which side is open; no meaning when empty().
  bool is_long() const { return is_long_; }
  /// Oldest first. Invalid after the next trade().
  std::span<const Lot> open() const { return std::span(lots_).subspan(head_); }

  /// One day of the account: sells first, then buys, each against the oldest lots of the other
  /// side; what remains opens a lot. Counts of zero or less do nothing. `on_realized` gets the gain
  /// of each lot that was touched, in order.
  template <typename OnRealized>
  void trade(const DayTrade& day, OnRealized&& on_realized) {
    if (day.sell_shares > 0) {
      const double price = day.sell_amount / static_cast<double>(day.sell_shares);
      match(day.sell_shares, price, day.date, /*opens_long=*/false,
            [&](int64_t shares, double cost) {
              on_realized(static_cast<double>(shares) * (price - cost));
            });
    }
    if (day.buy_shares > 0) {
      const double price = day.buy_amount / static_cast<double>(day.buy_shares);
      match(day.buy_shares, price, day.date, /*opens_long=*/true, [&](int64_t shares, double cost) {
        on_realized(static_cast<double>(shares) * (cost - price));
      });
    }
  }

 private:
  template <typename OnClosed>
  void match(int64_t shares, double price, Day date, bool opens_long, OnClosed&& on_closed) {
    if (is_long_ != opens_long) {
      while (shares > 0 && !empty()) {
        Lot& oldest = lots_[head_];
        const int64_t taken = std::min(shares, oldest.shares);
        on_closed(taken, oldest.cost_per_share);
        shares -= taken;
        oldest.shares -= taken;
        if (oldest.shares == 0) ++head_;
      }
      if (empty()) clear();
    }
    if (shares == 0) return;
    is_long_ = opens_long;
    lots_.push_back({shares, price, date});
  }

  std::vector<Lot> lots_;
  size_t head_ = 0;
  bool is_long_ = true;
};

/// The unrealised gain at `price` in the reference's order: shares x difference, lot by lot.
inline double unrealized_by_lot(const FifoLots& lots, double price) {
  double sum = 0;
  for (const Lot& lot : lots.open()) {
    const double gain = lots.is_long() ? price - lot.cost_per_share : lot.cost_per_share - price;
    sum += static_cast<double>(lot.shares) * gain;
  }
  return sum;
}

/// An account's open lots summed up, so that valuing them again costs the same for any number.
struct OpenPosition {
  int64_t shares = 0;  ///< always positive
  DoubleDouble cost;   ///< sum of shares x cost, as good as exact
  bool is_long = true;

  explicit OpenPosition(const FifoLots& lots) : is_long(lots.is_long()) {
    for (const Lot& lot : lots.open()) {
      cost.add_product(static_cast<double>(lot.shares), lot.cost_per_share);
      shares += lot.shares;
    }
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
