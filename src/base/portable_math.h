#pragma once

#include <cmath>

namespace tapeworks {

// exp and log by plain arithmetic. The functions of the system's library differ in the last bit
// from one platform to the next; these give the same bits everywhere, because IEEE additions,
// multiplications and divisions do (contraction is off). Relative error below 1e-14.

/// e^x for |x| < 700.
inline double portable_exp(double x) {
  constexpr double kLn2High = 0x1.62e42fee00000p-1;  // 32 bits, so that k * kLn2High is exact
  constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
  const double k = std::floor(x * 1.4426950408889634 + 0.5);
  const double rest = (x - k * kLn2High) - k * kLn2Low;
  double sum = 1;
  for (int term = 14; term >= 1; --term) sum = 1 + sum * rest / term;
  return std::ldexp(sum, static_cast<int>(k));
}

/// The natural logarithm of a positive, finite x.
inline double portable_log(double x) {
  constexpr double kLn2 = 0x1.62e42fefa39efp-1;
  int exponent = 0;
  double mantissa = std::frexp(x, &exponent);  // in [0.5, 1)
  if (mantissa < 0.7071067811865476) {
    mantissa *= 2;
    --exponent;
  }
  const double ratio = (mantissa - 1) / (mantissa + 1);  // |ratio| < 0.172
  const double square = ratio * ratio;
  double sum = 0;
  for (int power = 23; power >= 1; power -= 2) sum = sum * square + 1.0 / power;
  return exponent * kLn2 + 2 * ratio * sum;
}

/// base^exponent for a positive base.
inline double portable_pow(double base, double exponent) {
  return portable_exp(exponent * portable_log(base));
}

}  // namespace tapeworks
