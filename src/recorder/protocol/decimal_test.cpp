#include "recorder/protocol/decimal.h"

#include <charconv>
#include <cmath>
#include <cstdlib>

#include <gtest/gtest.h>

#include "base/random.h"

namespace tapeworks::recorder {
namespace {

Decimal decimal(std::string_view text) {
  auto number = parse_decimal(text);
  EXPECT_TRUE(number) << text << ": " << number.error().message;
  return number.value_or(Decimal{});
}

bool exact(std::string_view text) {
  const Decimal number = decimal(text);
  return is_exact(number, to_double(number).value());
}

TEST(Decimal, IsTheNumberAndNotHowItWasWritten) {
  EXPECT_EQ(decimal("1e5"), decimal("100000.000"));
  EXPECT_EQ(decimal("0.10"), decimal(".1"));
  EXPECT_EQ(decimal("00012.50"), decimal("1.25E+1"));
  EXPECT_EQ(decimal("7."), decimal("7"));
  EXPECT_EQ(decimal("-0.000"), Decimal{});
  EXPECT_EQ(decimal("0e99999"), Decimal{});
  EXPECT_EQ(decimal("159.6900000000000000000000000"), (Decimal{false, -2, 15969}));
  EXPECT_EQ(decimal("-1000"), (Decimal{true, 3, 1}));
  EXPECT_NE(decimal("1"), decimal("-1"));
}

TEST(Decimal, WhatIsNoNumberIsRefused) {
  for (const char* text : {"",      "-",   "+",         ".",     "e5",   "1e",      "1e+",  "1e5.0",
                           "1.2.3", "1,5", " 1",        "1 ",    "--1",  "+-1",     "0x10", "nan",
                           "NaN",   "inf", "-Infinity", "1_000", "1e5x", "\xd9\xa1"}) {
    EXPECT_FALSE(parse_decimal(text)) << text;
  }
  EXPECT_FALSE(parse_decimal(std::string_view("1\0", 2)));
  EXPECT_FALSE(parse_decimal("1e10000"));
  EXPECT_FALSE(parse_decimal("1" + std::string(Decimal::kTextBytesMax, '0')));
}

TEST(Decimal, HoldsThirtyEightDigitsAndNoMore) {
  const std::string widest(Decimal::kDigitsMax, '9');
  EXPECT_EQ(to_string(decimal(widest)), widest);
  EXPECT_FALSE(parse_decimal(widest + "9"));
  EXPECT_TRUE(parse_decimal(widest + ".000"));  // trailing zeros cost nothing
}

TEST(Decimal, RoundsOnceToTheNearestFloat64) {
  // Just above, at and just below the middle between 1 and its successor.
  EXPECT_EQ(to_double(decimal("1.00000000000000011102230246251565405")).value(),
            std::nextafter(1.0, 2.0));
  EXPECT_EQ(to_double(decimal("1.00000000000000011102230246251565404")).value(), 1.0);
  EXPECT_EQ(to_double(decimal("9007199254740993")).value(), 9007199254740992.0);
  EXPECT_EQ(std::signbit(to_double(decimal("-0.0")).value()), false);
}

TEST(Decimal, RoundsLikeStrtodOverRandomTexts) {
  constexpr uint64_t kSeed = 20261121;
  for (uint64_t i = 0; i < 20'000; ++i) {
    const uint64_t bits = random_bits(kSeed, i);
    const int exponent = static_cast<int>(random_below(random_bits(kSeed + 1, i), 60)) - 40;
    const std::string text = fmt::format("{}e{}", bits >> (bits & 63), exponent);
    const Decimal number = decimal(text);
    const double rounded = to_double(number).value();
    ASSERT_EQ(rounded, std::strtod(text.c_str(), nullptr)) << text << ", seed " << kSeed;
    // Exact means: printing the float64 shortest gives the number back.
    char shortest[64];
    const auto end =
        std::to_chars(shortest, shortest + sizeof shortest, rounded, std::chars_format::scientific)
            .ptr;
    ASSERT_EQ(is_exact(number, rounded), decimal({shortest, end}) == number) << text;
    ASSERT_EQ(decimal(to_string(number)), number) << text;
  }
}

TEST(Decimal, RoundsLikeStrtodOnBothSidesOfWhatFloat64HoldsExactly) {
  constexpr uint64_t kTwoTo53 = uint64_t{1} << 53;
  for (int exponent = -25; exponent <= 25; ++exponent) {
    for (uint64_t i = 0; i < 500; ++i) {
      // From one digit up to numbers around 2^53, of all lengths between.
      const uint64_t bits = random_bits(7, i) >> (11 + i % 53);
      for (const uint64_t mantissa : {bits, kTwoTo53 - i % 5, kTwoTo53 + i % 5}) {
        const std::string text = std::to_string(mantissa) + "e" + std::to_string(exponent);
        const std::string negative = "-" + text;
        ASSERT_EQ(to_double(decimal(text)).value(), std::strtod(text.c_str(), nullptr)) << text;
        ASSERT_EQ(to_double(decimal(negative)).value(),
                  mantissa == 0 ? 0 : std::strtod(negative.c_str(), nullptr))
            << negative;
      }
    }
  }
}

TEST(Decimal, BeyondFloat64IsRefusedInsteadOfBecomingInfiniteOrZero) {
  EXPECT_TRUE(to_double(decimal("1.7976931348623157e308")));
  EXPECT_FALSE(to_double(decimal("1e309")));
  EXPECT_FALSE(to_double(decimal("-1e309")));
  EXPECT_FALSE(to_double(decimal("1e-400")));
}

TEST(Decimal, ExactIsWhatTheShortestTextGivesBack) {
  for (const char* text : {"0", "-0", "0.10", "1e5", "159.6900000000000000000000000", "0.00000638",
                           "123456789012345", "9007199254740992", "5e-324"}) {
    EXPECT_TRUE(exact(text)) << text;
  }
  for (const char* text :
       {"9007199254740993", "0.1234567890123456789", "0.10000000000000000001", "4.9e-324"}) {
    EXPECT_FALSE(exact(text)) << text;
  }
}

TEST(Decimal, GivesIntegersOnlyWhereTheyAreWhole) {
  EXPECT_EQ(to_int64(decimal("1619093543708.2642"), 6), 1619093543708264200);
  EXPECT_EQ(to_int64(decimal("9223372036854775807")), INT64_MAX);
  EXPECT_EQ(to_int64(decimal("9223372036854775808")), std::nullopt);
  EXPECT_EQ(to_int64(decimal("-5e2")), -500);
  EXPECT_EQ(to_int64(decimal("0.5")), std::nullopt);
  EXPECT_EQ(to_int64(decimal("1e30")), std::nullopt);
  EXPECT_EQ(to_int64(decimal("0.0")), 0);
}

TEST(Decimal, IsMadeOfMantissaAndExponent) {
  EXPECT_EQ(make_decimal(12346739000000, -8), decimal("123467.39"));
  EXPECT_EQ(make_decimal(INT64_MIN, 0), decimal("-9223372036854775808"));
  EXPECT_EQ(make_decimal(0, -8), Decimal{});
  EXPECT_EQ(to_string(make_decimal(5, -8)), "0.00000005");
  EXPECT_EQ(to_string(make_decimal(5, 3)), "5000");
  EXPECT_EQ(to_string(make_decimal(-5, 40)), "-5e40");
}

}  // namespace
}  // namespace tapeworks::recorder
