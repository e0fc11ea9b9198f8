#include "storage/value_range.h"

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace tapeworks {
namespace {

/// Any bits at all: infinities, NaNs, denormals and both zeros among them.
template <typename Real, typename Bits>
std::vector<Real> random_reals(std::mt19937_64& random, unsigned nans_in_100) {
  std::vector<Real> values(random() % 200);
  for (Real& value : values) {
    do {
      value = std::bit_cast<Real>(static_cast<Bits>(random()));
    } while (std::isnan(value));
    if (random() % 50 == 0) value = random() % 2 == 0 ? Real{0} : -Real{0};
    if (random() % 100 < nans_in_100) value = std::numeric_limits<Real>::quiet_NaN();
  }
  return values;
}

template <typename Real, typename Bits>
void expect_range_of_reals(uint64_t seed, unsigned nans_in_100) {
  std::mt19937_64 random(seed);
  const auto values = random_reals<Real, Bits>(random, nans_in_100);
  Real least = std::numeric_limits<Real>::infinity();
  Real most = -least;
  bool found = false;
  for (const Real value : values) {
    if (std::isnan(value)) continue;
    least = std::min(least, value);
    most = std::max(most, value);
    found = true;
  }
  const auto range = range_of(std::span<const Real>(values));
  ASSERT_EQ(range.has_value(), found);
  if (!found) return;
  EXPECT_EQ(range->least, least);
  EXPECT_EQ(range->most, most);
}

TEST(ValueRange, OfFloatingPointNumbersIgnoresNaN) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    for (const unsigned nans : {0U, 10U, 100U}) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << ", " << nans << " % NaN");
      expect_range_of_reals<float, uint32_t>(seed, nans);
      expect_range_of_reals<double, uint64_t>(seed, nans);
    }
  }
}

TEST(ValueRange, OfIntegersRespectsTheirSign) {
  const std::vector<int32_t> narrow{5, -7, 3};
  EXPECT_EQ(range_of(std::span<const int32_t>(narrow))->least, -7);
  EXPECT_EQ(range_of(std::span<const int32_t>(narrow))->most, 5);
  const std::vector<uint32_t> numbers{5, 4'000'000'000U, 3};
  EXPECT_EQ(range_of(std::span<const uint32_t>(numbers))->least, 3U);
  EXPECT_EQ(range_of(std::span<const uint32_t>(numbers))->most, 4'000'000'000U);
  const std::vector<int64_t> wide{int64_t{1} << 40, -(int64_t{1} << 41)};
  EXPECT_EQ(range_of(std::span<const int64_t>(wide))->least, -(int64_t{1} << 41));
  EXPECT_FALSE(range_of(std::span<const int64_t>()));
}

}  // namespace
}  // namespace tapeworks
