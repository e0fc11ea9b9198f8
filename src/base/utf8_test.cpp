#include "base/utf8.h"

#include <string>

#include <gtest/gtest.h>

namespace tapeworks {
namespace {

TEST(Utf8, CountsTheBytesOfACharacter) {
  EXPECT_EQ(utf8_character_bytes("a"), 1U);
  EXPECT_EQ(utf8_character_bytes("é!"), 2U);
  EXPECT_EQ(utf8_character_bytes("元"), 3U);
  EXPECT_EQ(utf8_character_bytes("\U0001F4C8 up"), 4U);
}

TEST(Utf8, RefusesWhatRfc3629DoesNotAllow) {
  EXPECT_FALSE(is_utf8("\x80"));              // a continuation without a beginning
  EXPECT_FALSE(is_utf8("\xc0\x80"));          // two bytes for U+0000
  EXPECT_FALSE(is_utf8("\xe0\x9f\xbf"));      // three bytes for U+07FF
  EXPECT_FALSE(is_utf8("\xed\xa0\x80"));      // a surrogate
  EXPECT_FALSE(is_utf8("\xf4\x90\x80\x80"));  // U+110000
  EXPECT_FALSE(is_utf8("\xf8\x88\x80\x80\x80"));
  EXPECT_FALSE(is_utf8("\xa4\xa4"));  // Big5
  EXPECT_TRUE(is_utf8("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf"));
}

TEST(Utf8, ATextCutInsideACharacterIsNotWellFormed) {
  const std::string text = "元大\U0001F4C8";
  EXPECT_TRUE(is_utf8(""));
  for (size_t bytes = 0; bytes <= text.size(); ++bytes) {
    const bool whole = bytes == 0 || bytes == 3 || bytes == 6 || bytes == 10;
    EXPECT_EQ(is_utf8(text.substr(0, bytes)), whole) << bytes;
  }
}

TEST(Utf8, AZeroByteIsACharacter) { EXPECT_TRUE(is_utf8(std::string_view("a\0b", 3))); }

}  // namespace
}  // namespace tapeworks
