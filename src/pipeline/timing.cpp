#include "pipeline/timing.h"

#include <cmath>
#include <numeric>

namespace tapeworks {
namespace {

void add_product(DoubleDouble& sum, double factor, const DoubleDouble& other) {
  sum.add_product(factor, other.high);
  sum.add_product(factor, other.low);
}

double mean_of(std::span<const int64_t> net_shares) {
  const int64_t sum = std::accumulate(net_shares.begin(), net_shares.end(), int64_t{0});
  return static_cast<double>(sum) / static_cast<double>(net_shares.size());
}

double reference_deviation(std::span<const int64_t> net_shares, double mean) {
  // Compilers replace pow(x, 2) by x * x and may do so with a root; the library's answer differs
  // from theirs in the last bit now and then, so the exponents are hidden from them.
  const volatile double square = 2;
  const volatile double root = 0.5;
  // Most dates have no trade of the account, and pow is slow.
  const double square_without_trade = std::pow(0 - mean, square);
  double squares = 0;
  for (const int64_t x : net_shares) {
    squares += x == 0 ? square_without_trade : std::pow(static_cast<double>(x) - mean, square);
  }
  return std::pow(squares / static_cast<double>(net_shares.size()), root);
}

}  // namespace

double reference_timing_alpha(std::span<const int64_t> net_shares,
                              std::span<const double> returns) {
  if (net_shares.size() < 2) return 0;
  const double mean = mean_of(net_shares);
  double alpha = 0;
  for (size_t t = 1; t < net_shares.size(); ++t) {
    alpha += (static_cast<double>(net_shares[t - 1]) - mean) * returns[t];
  }
  return alpha;
}

double reference_timing_score(std::span<const int64_t> net_shares,
                              std::span<const double> returns) {
  if (net_shares.size() < 2) return 0;
  const double sigma = reference_deviation(net_shares, mean_of(net_shares));
  return sigma == 0 ? 0 : reference_timing_alpha(net_shares, returns) / sigma;
}

DoubleDouble sum_of_later_returns(std::span<const double> returns) {
  DoubleDouble sum;
  for (size_t t = 1; t < returns.size(); ++t) sum.add(returns[t]);
  return sum;
}

Timing TimingSums::result(size_t date_count, const DoubleDouble& later_returns) const {
  if (date_count < 2) return {};
  // n^2 times the variance: the integer n * sum(x^2) - sum(x)^2, so "does not vary" is exact.
  const uint64_t magnitude = static_cast<uint64_t>(sum_x_ < 0 ? -sum_x_ : sum_x_);
  const Squares spread =
      static_cast<Squares>(date_count) * sum_xx_ - static_cast<Squares>(magnitude) * magnitude;
  if (spread == 0) return {};

  const double n = static_cast<double>(date_count);
  DoubleDouble scaled_alpha;
  add_product(scaled_alpha, n, sum_xr_);
  add_product(scaled_alpha, -static_cast<double>(sum_x_), later_returns);
  const double sigma = std::sqrt(static_cast<double>(spread)) / n;
  const double alpha = scaled_alpha.value() / n;
  return {.alpha = alpha, .score = alpha / sigma};
}

}  // namespace tapeworks
