#pragma once

#include <cmath>

namespace tapeworks {

/// A sum kept as the unevaluated pair high + low, about 106 bits. Adding is error-free up to the
/// rounding of the low part (Knuth's two-sum; Dekker 1971), so a long sum in a fixed order is as
/// good as exact, and both halves can be stored and resumed.
struct DoubleDouble {
  double high = 0;
  double low = 0;

  void add(double term) {
    const double sum = high + term;
    const double virtual_term = sum - high;
    const double error = (high - (sum - virtual_term)) + (term - virtual_term);
    renormalize(sum, low + error);
  }

  void add(const DoubleDouble& other) {
    add(other.high);
    renormalize(high, low + other.low);
  }

  /// Adds a * b with the rounding error of the product (exact by fused multiply-add).
  void add_product(double a, double b) {
    const double product = a * b;
    const double error = std::fma(a, b, -product);
    add(product);
    renormalize(high, low + error);
  }

  double value() const { return high + low; }

 private:
  void renormalize(double sum, double error) {
    high = sum + error;
    // An infinity or NaN has no error term; inf - inf would make one.
    low = std::isfinite(high) ? error - (high - sum) : 0;
  }
};

}  // namespace tapeworks
