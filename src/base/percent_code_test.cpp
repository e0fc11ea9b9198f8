#include "base/percent_code.h"

#include <gtest/gtest.h>

namespace tapeworks {
namespace {

TEST(PercentCode, EveryByteComesBack) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  const std::string encoded = percent_encoded(bytes);
  EXPECT_EQ(encoded.find_first_of(" /?&=+:@#"), std::string::npos);
  EXPECT_EQ(percent_decoded(encoded), bytes);
}

TEST(PercentCode, PlainTextAndPlusStay) {
  EXPECT_EQ(percent_encoded("a-Z_0.9~"), "a-Z_0.9~");
  EXPECT_EQ(percent_decoded("1 + 1"), "1 + 1");
  EXPECT_EQ(percent_decoded("%2b%2B"), "++");
}

TEST(PercentCode, APercentSignWithoutItsDigitsIsRefused) {
  for (const char* text : {"%", "%4", "50%", "%4g", "%g4", "% 4", "%-1"}) {
    EXPECT_FALSE(percent_decoded(text)) << text;
  }
}

}  // namespace
}  // namespace tapeworks
