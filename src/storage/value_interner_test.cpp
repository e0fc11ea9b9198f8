#include "storage/value_interner.h"

#include <random>
#include <string>
#include <unordered_map>

#include <gtest/gtest.h>

namespace tapeworks {
namespace {

TEST(ValueInterner, NumbersValuesInOrderOfFirstAppearance) {
  ValueInterner interner;
  EXPECT_EQ(interner.intern("b"), 0U);
  EXPECT_EQ(interner.intern("a"), 1U);
  EXPECT_EQ(interner.intern("b"), 0U);
  EXPECT_EQ(interner.intern(""), 2U);
  EXPECT_EQ(interner.intern(std::string_view("\0x", 2)), 3U);
  ASSERT_EQ(interner.values().size(), 4U);
  EXPECT_EQ(interner.values()[3], std::string_view("\0x", 2));
}

TEST(ValueInterner, KeepsViewsWhileItGrows) {
  std::mt19937 random(1);
  ValueInterner interner;
  std::unordered_map<std::string, uint32_t> expected;
  std::vector<std::pair<std::string, std::string_view>> views;
  for (int i = 0; i < 20000; ++i) {
    std::string text = std::to_string(random() % 9000);
    if (random() % 1000 == 0) text += std::string(100000, 'x');
    const uint32_t number = interner.intern(text);
    const auto [entry, is_new] = expected.try_emplace(text, static_cast<uint32_t>(expected.size()));
    ASSERT_EQ(number, entry->second);
    if (is_new) views.emplace_back(text, interner.values()[number]);
  }
  for (const auto& [text, view] : views) ASSERT_EQ(text, view);
}

}  // namespace
}  // namespace tapeworks
