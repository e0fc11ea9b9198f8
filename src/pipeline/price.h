#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/mode.h"

namespace tapeworks {

// Amounts are exact until the end: a price is an integer times a fixed unit, an amount the integer
// shares x price, and a sum of amounts is an integer of 128 bits that is rounded once. Which unit
// depends on how prices are written in the input and how wide amounts are kept.

// 128-bit integers are an extension that gcc and clang share.
__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 Uint128;

enum class AmountUnit : uint8_t {
  kBinary40,   ///< 2^-40: prices rounded to float32, which reproduces the reference
  kBinary60,   ///< 2^-60: prices that arrive as binary floating point, kept in full
  kDecimal12,  ///< 10^-12: prices that arrive as text or decimals, kept in full
};

/// What the text or number in a price column means for its row.
enum class PriceKind : uint8_t {
  kExact,       ///< units << shift in AmountUnit
  kWide,        ///< a good number outside the range of `units`; PriceReader::wide_text has it
  kNotANumber,  ///< compat modes: poisons the amounts of its group
  kPlusInfinity,
  kMinusInfinity,
  kDash,  ///< exactly "-": the row is dropped
  kBad,   ///< no number, or one that the mode refuses
};

struct Price {
  PriceKind kind = PriceKind::kBad;
  uint8_t shift = 0;  ///< only with AmountUnit::kBinary60
  int64_t units = 0;
};

/// Turns what stands in a price column into exact prices.
///
/// Text: commas are removed wherever they stand; the rest must be a complete decimal number as
/// pipeline-spec 2.1 lists them (sign, exponent, ".5", "7."; inf and nan in any case). In the
/// default mode a negative number, inf and nan are bad.
class PriceParser {
 public:
  PriceParser(Mode mode, AmountUnit unit) : mode_(mode), unit_(unit) {}

  /// Longer texts are bad: no price is, and a wide one is kept as text until its group is rounded.
  static constexpr size_t kTextBytesMax = size_t{64} * 1024;

  Price from_text(std::string_view text) const;
  /// digits x 10^-scale, which is what from_text() gives for its text; nothing where that takes
  /// more care than an integer of 53 bits and a division can give. Never kBinary60.
  std::optional<Price> from_short_decimal(int64_t digits, int scale) const;
  /// A number of a float32 or float64 column; never kDecimal12.
  Price from_double(double value) const;
  /// `text` without commas and known to be a number, as the exact decimal of a wide price.
  static std::string without_commas(std::string_view text);

  AmountUnit unit() const { return unit_; }

 private:
  Price from_decimal_text(std::string_view number) const;

  Mode mode_;
  AmountUnit unit_;
};

/// The exact value of a wide price, for a record of a run: as 17 significant digits or more, a
/// decimal text that stands for exactly the price used (a float32 in kBinary40).
std::string wide_price_text(std::string_view text, AmountUnit unit);
std::string wide_price_text(double value);

/// units x `unit`, rounded to float64 once (to nearest, ties to even).
double amount_to_double(Int128 units, AmountUnit unit);

/// The exact sum units x `unit` + shares[i] x price_texts[i], rounded to float64 once.
struct WideTerm {
  int64_t shares = 0;
  std::string price_text;
};
double wide_amount_to_double(Int128 units, AmountUnit unit, const std::vector<WideTerm>& terms);

}  // namespace tapeworks
