#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/double_double.h"

namespace tapeworks {

// Timing asks whether an account bought before the price rose. x is the account's net shares
// (bought - sold) and r the symbol's return on each trade date of the symbol since the start,
// whoever traded: the alpha is the sum of (x of the date before - mean of x) * r, the score is that
// over the standard deviation of x.

struct Timing {
  double alpha = 0;  ///< shares x return
  double score = 0;  ///< without unit; 0 when the net shares do not vary
};

/// The alpha in the reference's order of operations: it visits every date, also those without a
/// trade. The spans have equal length; 0 for fewer than two dates.
double reference_timing_alpha(std::span<const int64_t> net_shares, std::span<const double> returns);

/// Likewise the score. The reference squares and takes the root by the C library's pow, so the last
/// bit is that library's; all goldens agree with glibc.
double reference_timing_score(std::span<const int64_t> net_shares, std::span<const double> returns);

/// The sum of the returns to the second and all later dates of the series.
DoubleDouble sum_of_later_returns(std::span<const double> returns);

/// Timing from four sums that only the dates with a trade add to, so that an account costs its own
/// rows and not all dates of the symbol. The sums of x are exact integers, the others compensated
/// in date order: the same rows give the same bits, at once or resumed.
class TimingSums {
 public:
  __extension__ typedef unsigned __int128 Squares;

  TimingSums() = default;
  /// Goes on from what the accessors of another one gave.
  TimingSums(int64_t sum_x, Squares sum_xx, DoubleDouble sum_xr)
      : sum_x_(sum_x), sum_xx_(sum_xx), sum_xr_(sum_xr) {}

  int64_t sum_x() const { return sum_x_; }
  Squares sum_xx() const { return sum_xx_; }
  const DoubleDouble& sum_xr() const { return sum_xr_; }

  /// One date of the account, in date order. `next_return` is the return to the date after this
  /// one, 0 for the last. |net_shares| is below 2^32.
  void add(int64_t net_shares, double next_return) {
    sum_x_ += net_shares;
    const uint64_t magnitude = static_cast<uint64_t>(net_shares < 0 ? -net_shares : net_shares);
    sum_xx_ += static_cast<Squares>(magnitude) * magnitude;
    sum_xr_.add_product(static_cast<double>(net_shares), next_return);
  }

  /// `date_count` is the length n of the series (dates without a trade included),
  /// `later_returns` its sum_of_later_returns(). Zeros when n < 2 or x is the same on all dates.
  Timing result(size_t date_count, const DoubleDouble& later_returns) const;

 private:
  int64_t sum_x_ = 0;
  Squares sum_xx_ = 0;
  DoubleDouble sum_xr_;
};

}  // namespace tapeworks
