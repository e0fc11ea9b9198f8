#include "engine/radix_sort.h"

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace tapeworks {
namespace {

TEST(RadixSort, SortsLikeAStableSortOfTheLowBits) {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    const unsigned bits = 1 + seed;
    const uint64_t mask = bits >= 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
    std::vector<KeyedIndex> items(random() % 3000);
    for (uint32_t i = 0; i < items.size(); ++i) items[i] = {random() & mask & random(), i};
    std::vector<KeyedIndex> expected = items;
    std::ranges::sort(expected, {},
                      [](const KeyedIndex& item) { return std::pair(item.key, item.index); });
    std::vector<KeyedIndex> scratch(items.size());
    const auto sorted = radix_sort(items, scratch, bits);
    ASSERT_EQ(sorted.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(sorted[i].key, expected[i].key);
      ASSERT_EQ(sorted[i].index, expected[i].index);
    }
  }
}

}  // namespace
}  // namespace tapeworks
