#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tapeworks::recorder {

// 128-bit integers are an extension that gcc and clang share.
__extension__ typedef unsigned __int128 Uint128;

/// A decimal number, exactly as a text states it: (-1)^negative x mantissa x 10^exponent.
///
/// Always in lowest terms: the mantissa does not end in a zero digit, and zero is 0 x 10^0 without
/// a sign. So two Decimals are equal just if they are the same number: "1e5" equals "100000.0",
/// "0.10" equals ".1", "-0" equals "0". How a number was written is no information here.
struct Decimal {
  static constexpr int kDigitsMax = 38;           ///< significant digits that a mantissa can hold
  static constexpr size_t kTextBytesMax = 128;    ///< a longer text is refused
  static constexpr int32_t kExponentMax = 9'999;  ///< of a text; far outside float64

  bool negative = false;
  int32_t exponent = 0;
  Uint128 mantissa = 0;

  bool operator==(const Decimal&) const = default;
  bool is_zero() const { return mantissa == 0; }
};

/// Reads a whole text: an optional sign, digits with at most one point and at least one digit, and
/// an optional exponent ("1.5e-7"). Leading and trailing zeros are allowed. Nothing else is: no
/// space, no NaN, no infinity, no more than Decimal::kDigitsMax significant digits (kCorrupt).
Result<Decimal> parse_decimal(std::string_view text);

/// mantissa x 10^exponent in lowest terms; what binary protocols send.
Decimal make_decimal(int64_t mantissa, int32_t exponent);

/// The nearest float64, ties to even. kCorrupt when it would be infinite, or zero for a number that
/// is not. Zero is +0.0.
Result<double> to_double(const Decimal& number);

/// The nearest float64 of a whole text; nothing for what parse_decimal or to_double refuse.
std::optional<double> read_double(std::string_view text);

/// Whether `rounded`, which is to_double(number), keeps all that was sent: its shortest decimal
/// text (the one that reads back as the same float64) is `number` again.
bool is_exact(const Decimal& number, double rounded);

/// number x 10^power as an integer, or nothing where it is not whole or does not fit.
std::optional<int64_t> to_int64(const Decimal& number, int32_t power = 0);

/// Plain digits where that is short ("0.00012"), else with an exponent ("12e-30"). Reads back as
/// the same Decimal.
std::string to_string(const Decimal& number);

}  // namespace tapeworks::recorder
