#include "recorder/protocol/decimal.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

#include <fmt/format.h>

#include "base/printable_text.h"

namespace tapeworks::recorder {
namespace {

/// Up to 15 digits, every decimal of ordinary size survives the way through float64.
constexpr uint64_t kSafeMantissaEnd = 1'000'000'000'000'000;
static_assert(std::numeric_limits<double>::digits10 == 15);
/// And this is "ordinary": far from where float64 loses digits.
constexpr int32_t kSafeExponent = 250;

/// The powers of ten and the integers that float64 holds exactly.
constexpr std::array kExactPowersOfTen{1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                       1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                       1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
constexpr uint64_t kExactMantissaMax = uint64_t{1} << std::numeric_limits<double>::digits;

constexpr size_t kQuotedBytesMax = 60;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::unexpected<Error> no_number(std::string_view text, std::string_view why) {
  return corrupt("\"{}\" is no number that can be recorded: {}",
                 printable_text(text, kQuotedBytesMax), why);
}

/// What nearly every price and quantity is: one operation on two exact numbers, which rounds once
/// and to nearest. Nothing where either of them is not exact.
std::optional<double> to_double_at_once(const Decimal& number) {
  const auto power = static_cast<size_t>(std::abs(number.exponent));
  if (number.mantissa > kExactMantissaMax || power >= kExactPowersOfTen.size()) return std::nullopt;
  const auto mantissa = static_cast<double>(static_cast<uint64_t>(number.mantissa));
  const double magnitude = number.exponent < 0 ? mantissa / kExactPowersOfTen[power]
                                               : mantissa * kExactPowersOfTen[power];
  return number.negative ? -magnitude : magnitude;
}

/// The digits of the mantissa in `buffer`, from the front.
std::string_view mantissa_digits(Uint128 mantissa, std::array<char, 40>& buffer) {
  size_t at = buffer.size();
  do {
    buffer[--at] = static_cast<char>('0' + static_cast<int>(mantissa % 10));
    mantissa /= 10;
  } while (mantissa != 0);
  return {buffer.data() + at, buffer.size() - at};
}

/// "e-7", "E+12": the exponent that `rest` states, or nothing when it is no exponent.
std::optional<int32_t> parse_exponent(std::string_view rest) {
  rest.remove_prefix(1);  // 'e' or 'E'
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  if (rest.empty() || !std::ranges::all_of(rest, is_digit)) return std::nullopt;
  int32_t value = 0;
  for (const char c : rest) value = std::min(value * 10 + (c - '0'), Decimal::kExponentMax + 1);
  return negative ? -value : value;
}

}  // namespace

Result<Decimal> parse_decimal(std::string_view text) {
  if (text.size() > Decimal::kTextBytesMax) {
    return no_number(
        text, fmt::format("it has {} bytes, {} are the most", text.size(), Decimal::kTextBytesMax));
  }
  Decimal number;
  size_t at = 0;
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) {
    number.negative = text[at++] == '-';
  }
  int significant_digits = 0;
  int pending_zeros = 0;  // zeros after the last other digit: they count only if one follows
  bool any_digit = false;
  bool after_point = false;
  for (; at < text.size() && (is_digit(text[at]) || (text[at] == '.' && !after_point)); ++at) {
    if (text[at] == '.') {
      after_point = true;
      continue;
    }
    any_digit = true;
    if (after_point) --number.exponent;
    if (text[at] == '0') {
      if (significant_digits > 0) ++pending_zeros;
      continue;
    }
    significant_digits += pending_zeros + 1;
    if (significant_digits > Decimal::kDigitsMax) {
      return no_number(text,
                       fmt::format("{} significant digits are the most", Decimal::kDigitsMax));
    }
    for (; pending_zeros > 0; --pending_zeros) number.mantissa *= 10;
    number.mantissa = number.mantissa * 10 + static_cast<unsigned>(text[at] - '0');
  }
  if (!any_digit) return no_number(text, "it has no digits");
  number.exponent += pending_zeros;
  if (at < text.size()) {
    if (text[at] != 'e' && text[at] != 'E') {
      return no_number(text, fmt::format("byte {} does not belong there", at));
    }
    const auto exponent = parse_exponent(text.substr(at));
    if (!exponent) return no_number(text, "its exponent has no digits or is no number");
    if (std::abs(*exponent) > Decimal::kExponentMax && number.mantissa != 0) {
      return no_number(text, "its exponent is beyond any float64");
    }
    number.exponent += *exponent;
  }
  // In lowest terms: zeros at the end of the digits went into the exponent.
  return number.mantissa == 0 ? Decimal{} : number;
}

Decimal make_decimal(int64_t mantissa, int32_t exponent) {
  if (mantissa == 0) return {};
  const bool negative = mantissa < 0;
  const auto bits = static_cast<uint64_t>(mantissa);
  uint64_t magnitude = negative ? uint64_t{0} - bits : bits;
  for (; magnitude % 10 == 0; magnitude /= 10) ++exponent;
  return {negative, exponent, magnitude};
}

Result<double> to_double(const Decimal& number) {
  if (number.is_zero()) return 0.0;
  if (const auto value = to_double_at_once(number)) return *value;
  // Text is the one form in which the library rounds any decimal correctly.
  std::array<char, 40> digits;
  fmt::memory_buffer text;
  fmt::format_to(std::back_inserter(text), "{}{}e{}", number.negative ? "-" : "",
                 mantissa_digits(number.mantissa, digits), number.exponent);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value) ||
      value == 0) {
    return no_number({text.data(), text.size()}, "it lies beyond float64");
  }
  return value;
}

std::optional<double> read_double(std::string_view text) {
  const auto decimal = parse_decimal(text);
  if (!decimal) return std::nullopt;
  const auto number = to_double(*decimal);
  return number ? std::optional(*number) : std::nullopt;
}

bool is_exact(const Decimal& number, double rounded) {
  if (number.is_zero()) return true;
  if (number.mantissa < kSafeMantissaEnd && std::abs(number.exponent) <= kSafeExponent) return true;
  std::array<char, 64> text;
  const auto [end, error] =
      std::to_chars(text.data(), text.data() + text.size(), rounded, std::chars_format::scientific);
  if (error != std::errc()) return false;
  const auto shortest = parse_decimal({text.data(), static_cast<size_t>(end - text.data())});
  return shortest && *shortest == number;
}

std::optional<int64_t> to_int64(const Decimal& number, int32_t power) {
  if (number.is_zero()) return 0;
  const int32_t exponent = number.exponent + power;
  // In lowest terms a negative exponent means a fraction.
  if (exponent < 0 || exponent > 18) return std::nullopt;
  constexpr Uint128 kMax = std::numeric_limits<int64_t>::max();
  Uint128 value = number.mantissa;
  for (int32_t i = 0; i < exponent && value <= kMax; ++i) value *= 10;
  if (value > kMax) return std::nullopt;
  const auto magnitude = static_cast<int64_t>(value);
  return number.negative ? -magnitude : magnitude;
}

std::string to_string(const Decimal& number) {
  std::array<char, 40> buffer;
  std::string digits(mantissa_digits(number.mantissa, buffer));
  const auto digit_count = static_cast<int32_t>(digits.size());
  if (number.exponent > 0 && number.exponent <= 18) {
    digits.append(static_cast<size_t>(number.exponent), '0');
  } else if (number.exponent < 0 && number.exponent >= -18) {
    const int32_t fraction = -number.exponent;
    if (digit_count <= fraction)
      digits.insert(0, static_cast<size_t>(fraction - digit_count) + 1, '0');
    digits.insert(digits.size() - static_cast<size_t>(fraction), ".");
  } else if (number.exponent != 0) {
    digits += fmt::format("e{}", number.exponent);
  }
  return number.negative ? "-" + digits : digits;
}

}  // namespace tapeworks::recorder
