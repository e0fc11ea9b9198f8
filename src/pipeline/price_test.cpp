#include "pipeline/price.h"

#include <cmath>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace tapeworks {
namespace {

PriceParser parser(Mode mode, AmountUnit unit = AmountUnit::kBinary40) { return {mode, unit}; }

/// The price as a number, for prices that are exact.
double value_of(const Price& price, AmountUnit unit = AmountUnit::kBinary40) {
  EXPECT_EQ(price.kind, PriceKind::kExact);
  return amount_to_double(static_cast<Int128>(price.units) << price.shift, unit);
}

TEST(Price, ATextOfMoreThan64KiBIsBad) {
  for (const Mode mode : {Mode::kDefault, Mode::kCompatV1}) {
    const std::string zeros(PriceParser::kTextBytesMax - 1, '0');
    EXPECT_EQ(value_of(parser(mode).from_text(zeros + "5")), 5);
    EXPECT_EQ(parser(mode).from_text(zeros + "05").kind, PriceKind::kBad);
  }
}

TEST(Price, AcceptsEveryTextTheReferenceAccepts) {
  const PriceParser compat = parser(Mode::kCompatV1);
  for (const auto& [text, value] : std::vector<std::pair<std::string, float>>{{"12.5", 12.5F},
                                                                              {"+12.5", 12.5F},
                                                                              {"-3", -3.0F},
                                                                              {"00012.50", 12.5F},
                                                                              {".5", 0.5F},
                                                                              {"7.", 7.0F},
                                                                              {"1e2", 100.0F},
                                                                              {"1,2,34.5", 1234.5F},
                                                                              {"1,234.50", 1234.5F},
                                                                              {"0", 0.0F},
                                                                              {"1E-3", 0.001F},
                                                                              {",,5", 5.0F},
                                                                              {"580.15", 580.15F},
                                                                              {"0.10", 0.10F},
                                                                              {"1e-60", 0.0F},
                                                                              {"-0", 0.0F}}) {
    EXPECT_EQ(value_of(compat.from_text(text)), static_cast<double>(value)) << text;
  }
  EXPECT_EQ(compat.from_text("16777217").kind, PriceKind::kWide);
  EXPECT_EQ(compat.from_text("nan").kind, PriceKind::kNotANumber);
  EXPECT_EQ(compat.from_text("NaN").kind, PriceKind::kNotANumber);
  EXPECT_EQ(compat.from_text("inf").kind, PriceKind::kPlusInfinity);
  EXPECT_EQ(compat.from_text("-Infinity").kind, PriceKind::kMinusInfinity);
  EXPECT_EQ(compat.from_text("1e60").kind, PriceKind::kPlusInfinity);
  EXPECT_EQ(compat.from_text("-").kind, PriceKind::kDash);
}

TEST(Price, RefusesEveryTextTheReferenceRefuses) {
  for (const Mode mode : {Mode::kDefault, Mode::kCompatV1, Mode::kCompatV2}) {
    for (const AmountUnit unit : {AmountUnit::kBinary40, AmountUnit::kDecimal12}) {
      for (const char* text : {"", " 5.00", "5 ", "--", " -", "0x10", "1_000", "n/a", "12a", ".",
                               "e5", "1e", "1e+", "1.2.3", "+", ",", "-,", "1e5.0"}) {
        EXPECT_EQ(parser(mode, unit).from_text(text).kind, PriceKind::kBad) << "'" << text << "'";
      }
    }
  }
}

TEST(Price, TheDefaultModeRefusesNegativeAndEndlessPrices) {
  for (const AmountUnit unit : {AmountUnit::kBinary40, AmountUnit::kDecimal12}) {
    for (const char* text : {"-1", "nan", "inf", "-inf", "1e400"}) {
      EXPECT_EQ(parser(Mode::kDefault, unit).from_text(text).kind, PriceKind::kBad) << text;
    }
  }
  EXPECT_EQ(parser(Mode::kDefault).from_double(-0.5).kind, PriceKind::kBad);
  EXPECT_EQ(parser(Mode::kDefault).from_double(std::nan("")).kind, PriceKind::kBad);
  EXPECT_EQ(parser(Mode::kDefault).from_text("-0").kind, PriceKind::kExact);
}

TEST(Price, RoundsTextToFloat32DirectlyNotByWayOfFloat64) {
  // Halfway between two float32 values in float64, above it in the text.
  const std::string text = "1.00000005960464477540";
  EXPECT_EQ(value_of(parser(Mode::kDefault).from_text(text)),
            static_cast<double>(std::strtof(text.c_str(), nullptr)));
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    const std::string price = fmt::format("{}.{:02}", random() % 9000, random() % 100);
    ASSERT_EQ(value_of(parser(Mode::kDefault).from_text(price)),
              static_cast<double>(std::strtof(price.c_str(), nullptr)))
        << price;
  }
}

/// A decimal text of up to 19 digits, most of them short.
std::string random_decimal(std::mt19937_64& random) {
  const size_t digit_count = 1 + random() % (random() % 4 == 0 ? 19 : 9);
  std::string text;
  for (size_t i = 0; i < digit_count; ++i) text.push_back(static_cast<char>('0' + random() % 10));
  if (random() % 4 != 0) text.insert(random() % (digit_count + 1), 1, '.');
  return text;
}

TEST(Price, AShortTextIsThePriceThatItIsWithAnExponentOfZero) {
  std::mt19937_64 random(5);
  for (const Mode mode : {Mode::kDefault, Mode::kCompatV1}) {
    for (const AmountUnit unit : {AmountUnit::kBinary40, AmountUnit::kDecimal12}) {
      const PriceParser prices = parser(mode, unit);
      for (int i = 0; i < 100'000; ++i) {
        const std::string text = random_decimal(random);
        const Price short_way = prices.from_text(text);
        const Price long_way = prices.from_text(text + "e0");
        ASSERT_EQ(short_way.kind, long_way.kind) << text;
        ASSERT_EQ(short_way.units, long_way.units) << text;
        ASSERT_EQ(short_way.shift, long_way.shift) << text;
      }
    }
  }
}

TEST(Price, AShortDecimalNextToTheMiddleOfTwoFloatsIsRoundedAsItsDigitsSay) {
  const PriceParser prices = parser(Mode::kDefault);
  std::mt19937_64 random(6);
  int ties = 0;
  for (int i = 0; i < 20'000; ++i) {
    // Fifteen digits next to the middle of two float32 values, which float64 may round to it.
    const auto lower = static_cast<float>(4 + std::ldexp(static_cast<double>(random() >> 40), -22));
    const float upper = std::nextafter(lower, 1e9F);
    const double middle = (static_cast<double>(lower) + static_cast<double>(upper)) / 2;
    const std::string text = fmt::format("{:.15g}", middle);
    ties += std::stod(text) == middle ? 1 : 0;
    const Price price = prices.from_text(text);
    if (price.kind != PriceKind::kExact) continue;
    ASSERT_EQ(value_of(price), static_cast<double>(std::strtof(text.c_str(), nullptr))) << text;
  }
  EXPECT_GT(ties, 0);
}

TEST(Price, OnlyDecimalsThatFitTheUnitHaveTheShortWay) {
  const auto kind_of = [](Mode mode, AmountUnit unit, int64_t digits, int scale) {
    return parser(mode, unit).from_short_decimal(digits, scale);
  };
  const auto units_of = [&](int64_t digits, int scale) {
    return kind_of(Mode::kDefault, AmountUnit::kDecimal12, digits, scale)->units;
  };
  EXPECT_EQ(units_of(12'345, 2), 123'450'000'000'000);
  EXPECT_EQ(units_of(999'999, 0), 999'999'000'000'000'000);
  EXPECT_EQ(units_of(1, 12), 1);
  EXPECT_FALSE(kind_of(Mode::kDefault, AmountUnit::kDecimal12, 1'000'000, 0));
  EXPECT_FALSE(kind_of(Mode::kDefault, AmountUnit::kDecimal12, 1, 13));
  EXPECT_FALSE(kind_of(Mode::kDefault, AmountUnit::kBinary40, int64_t{1} << 53, 0));
  EXPECT_FALSE(kind_of(Mode::kDefault, AmountUnit::kBinary40, 1, 23));
  EXPECT_FALSE(kind_of(Mode::kDefault, AmountUnit::kBinary40, 1, -1));
  EXPECT_FALSE(kind_of(Mode::kDefault, AmountUnit::kBinary60, 1, 0));
  EXPECT_EQ(kind_of(Mode::kDefault, AmountUnit::kBinary40, -1, 2)->kind, PriceKind::kBad);
  EXPECT_EQ(value_of(*kind_of(Mode::kCompatV1, AmountUnit::kBinary40, -150, 2)), -1.5);
  EXPECT_EQ(value_of(*kind_of(Mode::kDefault, AmountUnit::kBinary40, 0, 2)), 0);
}

TEST(Price, KeepsFloat64PricesWhole) {
  std::mt19937_64 random(2);
  const PriceParser wide = parser(Mode::kDefault, AmountUnit::kBinary60);
  for (int i = 0; i < 20'000; ++i) {
    const double price = std::ldexp(static_cast<double>(random() >> 11), -43 - int(random() % 8));
    ASSERT_EQ(value_of(wide.from_double(price), AmountUnit::kBinary60), price);
  }
}

TEST(Amount, AnExactSumIsRoundedOnce) {
  // 3 x 0.1 in decimal is 0.3; in binary floating point it is not.
  const PriceParser decimal = parser(Mode::kDefault, AmountUnit::kDecimal12);
  EXPECT_EQ(amount_to_double(Int128{3} * decimal.from_text("0.1").units, AmountUnit::kDecimal12),
            0.3);
  const Int128 large = Int128{1} << 100;
  EXPECT_EQ(amount_to_double(large, AmountUnit::kBinary40), std::ldexp(1.0, 60));
  EXPECT_EQ(amount_to_double(-large, AmountUnit::kBinary40), -std::ldexp(1.0, 60));
  // 2^53 + 1 lies between two float64 values and goes to the even one.
  EXPECT_EQ(amount_to_double((Int128{1} << 93) + (Int128{1} << 40), AmountUnit::kBinary40),
            std::ldexp(1.0, 53));
}

TEST(Amount, WideTermsAddToTheSameSum) {
  for (const AmountUnit unit :
       {AmountUnit::kBinary40, AmountUnit::kBinary60, AmountUnit::kDecimal12}) {
    const Int128 one = unit == AmountUnit::kDecimal12  ? Int128{1'000'000'000'000}
                       : unit == AmountUnit::kBinary40 ? Int128{1} << 40
                                                       : Int128{1} << 60;
    EXPECT_EQ(wide_amount_to_double(5 * one, unit, {{2, "1e3"}, {4, "0.25"}, {-1, "7"}}), 1999.0);
    EXPECT_EQ(wide_amount_to_double(0, unit, {{1, "1e30"}, {-1, "1e30"}, {1, "1e-30"}}), 1e-30);
    EXPECT_EQ(wide_amount_to_double(0, unit, {}), 0.0);
    EXPECT_TRUE(std::isinf(wide_amount_to_double(0, unit, {{1000, "1e308"}})));
  }
}

TEST(Amount, AWidePriceTextIsExactlyThePriceThatCounts) {
  EXPECT_EQ(wide_amount_to_double(0, AmountUnit::kBinary40,
                                  {{107, wide_price_text("16777217", AmountUnit::kBinary40)}}),
            107.0 * 16777216.0);
  EXPECT_EQ(wide_amount_to_double(0, AmountUnit::kDecimal12,
                                  {{1, wide_price_text("16,777,217", AmountUnit::kDecimal12)}}),
            16777217.0);
  const double tiny = std::ldexp(1.0, -140);
  EXPECT_EQ(wide_amount_to_double(0, AmountUnit::kBinary40, {{3, wide_price_text(tiny)}}),
            3 * tiny);
}

}  // namespace
}  // namespace tapeworks
