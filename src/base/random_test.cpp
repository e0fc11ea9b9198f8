#include "base/random.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "base/portable_math.h"

namespace tapeworks {
namespace {

// Published values of splitmix64 with the seed 0: number `index` of the stream is its output.
TEST(Random, NumbersAreThoseOfSplitmix64) {
  EXPECT_EQ(random_bits(0, 0), 0xe220a8397b1dcdafU);
  EXPECT_EQ(random_bits(0, 1), 0x6e789e6aa1b965f4U);
  EXPECT_EQ(random_bits(0, 2), 0x06c45d188009454fU);
}

TEST(Random, DerivedKeysGiveStreamsOfTheirOwn) {
  EXPECT_NE(derive_key(1, 0), derive_key(1, 1));
  EXPECT_NE(derive_key(1, 0), derive_key(2, 0));
  EXPECT_NE(random_bits(derive_key(1, 0), 0), random_bits(1, 0));
}

TEST(Random, BelowStaysBelowAndReachesEveryNumber) {
  std::vector<int> seen(7);
  for (uint64_t index = 0; index < 7000; ++index) ++seen.at(random_below(random_bits(5, index), 7));
  for (const int count : seen) EXPECT_NEAR(count, 1000, 150);
  EXPECT_EQ(random_below(~uint64_t{0}, 1), 0U);
}

TEST(Random, BellShapedHasMeanZeroAndVarianceOne) {
  constexpr int kCount = 200'000;
  double sum = 0;
  double squares = 0;
  for (uint64_t index = 0; index < kCount; ++index) {
    const double value = bell_shaped(random_bits(3, index));
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / kCount, 0, 0.01);
  EXPECT_NEAR(squares / kCount, 1, 0.02);
}

TEST(Random, ShuffleKeepsTheItemsAndMovesThem) {
  std::vector<int> items(1000);
  std::iota(items.begin(), items.end(), 0);
  const std::vector<int> ordered = items;
  shuffle_items(std::span(items), 9);
  EXPECT_NE(items, ordered);
  std::vector<int> sorted = items;
  std::ranges::sort(sorted);
  EXPECT_EQ(sorted, ordered);
}

TEST(PortableMath, AgreesWithTheSystemsLibrary) {
  for (double x = -40; x < 40; x += 0.37) {
    EXPECT_NEAR(portable_exp(x) / std::exp(x), 1, 1e-14) << x;
  }
  for (double x = 1e-9; x < 1e9; x *= 1.37) {
    EXPECT_NEAR(portable_log(x), std::log(x), 1e-14 * std::max(1.0, std::abs(std::log(x)))) << x;
  }
  EXPECT_NEAR(portable_pow(2839, -0.72), std::pow(2839, -0.72), 1e-15);
  EXPECT_EQ(portable_log(1), 0);
  EXPECT_EQ(portable_exp(0), 1);
}

}  // namespace
}  // namespace tapeworks
