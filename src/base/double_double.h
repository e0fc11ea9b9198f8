#pragma once

#include <cmath>

namespace tapeworks {

/// A sum kept as the unevaluated pair high + low: the plain sum in floating point, and beside it
/// the sum of all that rounding took from it (Knuth's two-sum; Ogita, Rump and Oishi, "Accurate sum
/// and dot product", 2005). A long sum in a fixed order is as good as one in twice the precision,
/// both halves can be stored and resumed, and no step waits longer for the one before than in a
/// plain sum.
///
/// The pair is not normalised: low may reach into the bits of high. Where high is infinite or no
/// number, low means nothing.
struct DoubleDouble {
  double high = 0;
  double low = 0;

  void add(double term) {
    const double sum = high + term;
    const double virtual_term = sum - high;
    low += (high - (sum - virtual_term)) + (term - virtual_term);
    high = sum;
  }

  void add(const DoubleDouble& other) {
    add(other.high);
    low += other.low;
  }

  /// Adds a * b with the rounding error of the product (exact by fused multiply-add).
  void add_product(double a, double b) {
    const double product = a * b;
    low += std::fma(a, b, -product);
    add(product);
  }

  double value() const { return std::isfinite(high) ? high + low : high; }
};

}  // namespace tapeworks
