#include "pipeline/price.h"

#include <algorithm>
#include <array>
#include <bit>
#include <boost/multiprecision/cpp_int.hpp>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include <fmt/format.h>

namespace tapeworks {
namespace {

using boost::multiprecision::cpp_int;

constexpr int kDecimalDigits = 12;
/// A price below this bound times shares below 2^31, summed over a group whose shares fit in int32,
/// stays within 128 bits in every unit.
constexpr double kPriceBound = 4194304.0;  // 2^22

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  return std::ranges::equal(text, lower, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

Price special(PriceKind kind, Mode mode) { return Price{is_compat(mode) ? kind : PriceKind::kBad}; }

/// inf, infinity and nan with an optional sign, in any case.
std::optional<PriceKind> special_word(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (equals_ignoring_case(text, "nan")) return PriceKind::kNotANumber;
  if (equals_ignoring_case(text, "inf") || equals_ignoring_case(text, "infinity")) {
    return negative ? PriceKind::kMinusInfinity : PriceKind::kPlusInfinity;
  }
  return std::nullopt;
}

/// A decimal number taken apart: (-1)^negative x digits x 10^exponent.
struct Decimal {
  bool negative = false;
  std::string digits;  // without leading zeros; empty means zero
  int64_t exponent = 0;
};

/// The grammar of the reference: sign, digits with one point, an optional exponent; at least one
/// digit before the exponent and, where there is an exponent, in it.
std::optional<Decimal> parse_decimal(std::string_view text) {
  Decimal result;
  size_t at = 0;
  if (at < text.size() && (text[at] == '+' || text[at] == '-')) result.negative = text[at++] == '-';
  size_t digit_count = 0;
  bool after_point = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c >= '0' && c <= '9') {
      ++digit_count;
      if (after_point) --result.exponent;
      if (c != '0' || !result.digits.empty()) result.digits.push_back(c);
    } else if (c == '.' && !after_point) {
      after_point = true;
    } else {
      break;
    }
  }
  if (digit_count == 0) return std::nullopt;
  if (at == text.size()) return result;
  if (text[at] != 'e' && text[at] != 'E') return std::nullopt;
  ++at;
  bool negative_exponent = false;
  if (at < text.size() && (text[at] == '+' || text[at] == '-')) {
    negative_exponent = text[at++] == '-';
  }
  if (at == text.size()) return std::nullopt;
  int64_t exponent = 0;
  for (; at < text.size(); ++at) {
    if (text[at] < '0' || text[at] > '9') return std::nullopt;
    // Beyond a million the value is 0 or infinite for every purpose.
    exponent = std::min<int64_t>(exponent * 10 + (text[at] - '0'), 1'000'000);
  }
  result.exponent += negative_exponent ? -exponent : exponent;
  return result;
}

/// digits x 10^-scale.
struct ShortDecimal {
  int64_t digits = 0;
  int scale = 0;
};

/// What nearly all prices are: some digits and at most one point. Nothing for other texts.
std::optional<ShortDecimal> parse_short_decimal(std::string_view text) {
  constexpr size_t kShortBytesMax = 16;
  if (text.empty() || text.size() > kShortBytesMax) return std::nullopt;
  ShortDecimal result;
  size_t point = text.size();
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c >= '0' && c <= '9') {
      result.digits = result.digits * 10 + (c - '0');
    } else if (c == '.' && point == text.size()) {
      point = at;
    } else {
      return std::nullopt;
    }
  }
  if (point == text.size()) return result;
  if (text.size() == 1) return std::nullopt;
  result.scale = static_cast<int>(text.size() - point - 1);
  return result;
}

/// Whether rounding this float64 to float32 is a tie. One that stands for a number that it had to
/// be rounded to could then go the wrong way.
bool is_halfway_between_floats(double value) {
  constexpr int kBitsLost = 53 - 24;
  constexpr uint64_t kMask = (uint64_t{1} << kBitsLost) - 1;
  return (std::bit_cast<uint64_t>(value) & kMask) == uint64_t{1} << (kBitsLost - 1);
}

/// The number in the notation that std::from_chars reads completely.
std::string canonical_text(const Decimal& decimal) {
  return fmt::format("{}{}e{}", decimal.negative ? "-" : "",
                     decimal.digits.empty() ? "0" : decimal.digits, decimal.exponent);
}

/// Correctly rounded from the decimal digits; out of range gives 0 or infinity as IEEE 754 does.
template <typename Float>
Float round_decimal(const Decimal& decimal) {
  const std::string text = canonical_text(decimal);
  Float value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc::result_out_of_range) return value;
  const int64_t magnitude = static_cast<int64_t>(decimal.digits.size()) + decimal.exponent;
  const Float extreme = magnitude > 0 ? std::numeric_limits<Float>::infinity() : Float{0};
  return decimal.negative ? -extreme : extreme;
}

/// value x 2^bits as an integer, when it is one below 2^62.
std::optional<int64_t> scaled_by_power_of_two(double value, int bits) {
  const double scaled = std::ldexp(value, bits);
  if (std::fabs(scaled) >= 4.6e18 || scaled != std::trunc(scaled)) return std::nullopt;
  return static_cast<int64_t>(scaled);
}

/// Every finite double is a decimal number of finite length; this is all of it.
std::string exact_decimal_text(double value) {
  // No double has more significant digits than this.
  const std::string text = fmt::format("{:.767e}", value);
  const size_t exponent = text.find('e');
  const size_t last_digit = text.find_last_not_of('0', exponent - 1);
  return text.substr(0, last_digit + 1) + text.substr(exponent);
}

struct ScaledInteger {
  cpp_int digits;
  int64_t exponent_of_ten = 0;
};

ScaledInteger scaled_integer(const Decimal& decimal) {
  // Trailing zeros of the fraction would only make the common denominator larger.
  std::string digits = decimal.digits;
  int64_t exponent = decimal.exponent;
  while (digits.size() > 1 && digits.back() == '0') {
    digits.pop_back();
    ++exponent;
  }
  cpp_int value = digits.empty() ? cpp_int{0} : cpp_int{digits};
  if (decimal.negative) value = -value;
  return {value, digits.empty() ? 0 : exponent};
}

cpp_int to_cpp_int(Int128 value) {
  const bool negative = value < 0;
  const Uint128 magnitude = negative ? -static_cast<Uint128>(value) : static_cast<Uint128>(value);
  cpp_int result = static_cast<uint64_t>(magnitude >> 64);
  result <<= 64;
  result += static_cast<uint64_t>(magnitude);
  return negative ? cpp_int{-result} : result;
}

cpp_int power_of_ten(int64_t exponent) {
  return boost::multiprecision::pow(cpp_int{10}, static_cast<unsigned>(exponent));
}

/// value x 10^exponent, rounded to nearest by way of its decimal digits.
double round_to_double(const cpp_int& value, int64_t exponent) {
  const std::string digits = value.str();
  const auto decimal = parse_decimal(digits);
  return round_decimal<double>(
      Decimal{decimal->negative, decimal->digits, decimal->exponent + exponent});
}

int binary_bits(AmountUnit unit) { return unit == AmountUnit::kBinary40 ? 40 : 60; }

}  // namespace

std::string PriceParser::without_commas(std::string_view text) {
  std::string number;
  number.reserve(text.size());
  std::ranges::copy_if(text, std::back_inserter(number), [](char c) { return c != ','; });
  return number;
}

Price PriceParser::from_text(std::string_view text) const {
  if (text == "-") return Price{PriceKind::kDash};
  if (text.size() > kTextBytesMax) return Price{PriceKind::kBad};
  if (text.find(',') != std::string_view::npos) return from_decimal_text(without_commas(text));
  return from_decimal_text(text);
}

std::optional<Price> PriceParser::from_short_decimal(int64_t digits, int scale) const {
  constexpr int64_t kDigitsBound = int64_t{1} << 53;
  static constexpr std::array kPowersOfTen = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                              1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                              1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  if (digits <= -kDigitsBound || digits >= kDigitsBound || scale < 0 ||
      static_cast<size_t>(scale) >= kPowersOfTen.size() || unit_ == AmountUnit::kBinary60) {
    return std::nullopt;
  }
  if (digits == 0) return Price{PriceKind::kExact};
  if (digits < 0 && !is_compat(mode_)) return Price{PriceKind::kBad};
  if (unit_ == AmountUnit::kBinary40) {
    // Both are exact, so their quotient is rounded once.
    const double value = static_cast<double>(digits) / kPowersOfTen[static_cast<size_t>(scale)];
    if (is_halfway_between_floats(value)) return std::nullopt;
    return from_double(value);
  }
  // Below 10^18 in units of 10^-12.
  if (scale > kDecimalDigits) return std::nullopt;
  const auto power = [](int exponent) {
    return static_cast<int64_t>(kPowersOfTen[static_cast<size_t>(exponent)]);
  };
  const int64_t bound = power(18 - kDecimalDigits + scale);
  if (digits <= -bound || digits >= bound) return std::nullopt;
  return Price{PriceKind::kExact, 0, digits * power(kDecimalDigits - scale)};
}

Price PriceParser::from_decimal_text(std::string_view number) const {
  if (const auto short_decimal = parse_short_decimal(number)) {
    const auto price = from_short_decimal(short_decimal->digits, short_decimal->scale);
    if (price) return *price;
  }
  if (const auto word = special_word(number)) return special(*word, mode_);
  const auto decimal = parse_decimal(number);
  if (!decimal) return Price{PriceKind::kBad};
  if (decimal->negative && !decimal->digits.empty() && !is_compat(mode_)) {
    return Price{PriceKind::kBad};
  }
  if (unit_ == AmountUnit::kBinary40) {
    return from_double(static_cast<double>(round_decimal<float>(*decimal)));
  }
  const double rounded = round_decimal<double>(*decimal);
  if (std::isinf(rounded)) return Price{PriceKind::kBad};
  // Below the smallest float64 a price is nothing; its exact power of ten could be a million
  // digits.
  if (rounded == 0) return Price{PriceKind::kExact};
  // Exact decimal: the digits shifted to the unit, when they fit.
  const int64_t shift = decimal->exponent + kDecimalDigits;
  if (shift < 0 || shift + static_cast<int64_t>(decimal->digits.size()) > 18) {
    return Price{PriceKind::kWide};
  }
  int64_t units = 0;
  std::from_chars(decimal->digits.data(), decimal->digits.data() + decimal->digits.size(), units);
  for (int64_t i = 0; i < shift; ++i) units *= 10;
  return Price{PriceKind::kExact, 0, decimal->negative ? -units : units};
}

Price PriceParser::from_double(double value) const {
  if (unit_ == AmountUnit::kBinary40) value = static_cast<double>(static_cast<float>(value));
  if (std::isnan(value)) return special(PriceKind::kNotANumber, mode_);
  if (std::isinf(value)) {
    return special(value > 0 ? PriceKind::kPlusInfinity : PriceKind::kMinusInfinity, mode_);
  }
  if (value < 0 && !is_compat(mode_)) return Price{PriceKind::kBad};
  if (value == 0) return Price{PriceKind::kExact};
  if (std::fabs(value) >= kPriceBound) return Price{PriceKind::kWide};
  if (unit_ == AmountUnit::kBinary40) {
    const auto units = scaled_by_power_of_two(value, 40);
    return units ? Price{PriceKind::kExact, 0, *units} : Price{PriceKind::kWide};
  }
  // The mantissa as an odd integer, so that the shift takes the trailing zeros.
  int exponent = 0;
  const auto mantissa = static_cast<int64_t>(std::ldexp(std::frexp(value, &exponent), 53));
  const int zeros = std::countr_zero(static_cast<uint64_t>(mantissa));
  const int shift = exponent - 53 + 60 + zeros;
  if (shift < 0) return Price{PriceKind::kWide};
  return Price{PriceKind::kExact, static_cast<uint8_t>(shift), mantissa >> zeros};
}

std::string wide_price_text(double value) { return exact_decimal_text(value); }

std::string wide_price_text(std::string_view text, AmountUnit unit) {
  const std::string number = PriceParser::without_commas(text);
  if (unit != AmountUnit::kBinary40) return number;
  return exact_decimal_text(static_cast<double>(round_decimal<float>(*parse_decimal(number))));
}

double amount_to_double(Int128 units, AmountUnit unit) {
  if (unit != AmountUnit::kDecimal12) {
    // The conversion rounds once; the power of two only moves the exponent.
    return std::ldexp(static_cast<double>(units), -binary_bits(unit));
  }
  constexpr int64_t kExactBelow = int64_t{1} << 53;
  if (units > -kExactBelow && units < kExactBelow) {
    return static_cast<double>(static_cast<int64_t>(units)) / 1e12;
  }
  return round_to_double(to_cpp_int(units), -kDecimalDigits);
}

double wide_amount_to_double(Int128 units, AmountUnit unit, const std::vector<WideTerm>& terms) {
  // 2^-k = 5^k x 10^-k, so that every term is an integer times a power of ten.
  cpp_int sum = to_cpp_int(units);
  int64_t exponent = -kDecimalDigits;
  if (unit != AmountUnit::kDecimal12) {
    const int bits = binary_bits(unit);
    sum *= boost::multiprecision::pow(cpp_int{5}, static_cast<unsigned>(bits));
    exponent = -bits;
  }
  for (const WideTerm& term : terms) {
    ScaledInteger price = scaled_integer(*parse_decimal(term.price_text));
    price.digits *= term.shares;
    if (price.digits == 0) continue;
    if (price.exponent_of_ten < exponent) {
      sum *= power_of_ten(exponent - price.exponent_of_ten);
      exponent = price.exponent_of_ten;
    } else {
      price.digits *= power_of_ten(price.exponent_of_ten - exponent);
    }
    sum += price.digits;
  }
  return round_to_double(sum, exponent);
}

}  // namespace tapeworks
