#include "storage/index_encoder.h"

#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "storage/index_decoder.h"

namespace tapeworks {
namespace {

std::vector<uint8_t> encode(const std::vector<int32_t>& values, int bit_width) {
  std::vector<uint8_t> bytes(encoded_indices_bytes_max(values.size(), bit_width));
  const uint8_t* const end = encode_indices(values, bit_width, bytes.data());
  EXPECT_LE(end, bytes.data() + bytes.size());
  bytes.resize(static_cast<size_t>(end - bytes.data()));
  return bytes;
}

TEST(IndexEncoder, WritesTheBytesOfTheFormatsExamples) {
  // "100 times the value 4" and "1, 2 ... 8" with the widths that the format's page gives them.
  EXPECT_EQ(encode(std::vector<int32_t>(100, 4), 3), (std::vector<uint8_t>{0xc8, 0x01, 0x04}));
  EXPECT_EQ(encode({0, 1, 2, 3, 4, 5, 6, 7}, 3), (std::vector<uint8_t>{0x03, 0x88, 0xc6, 0xfa}));
  EXPECT_TRUE(encode({}, 5).empty());
}

TEST(IndexEncoder, TheDecoderReadsBackWhatItWrote) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const int bit_width = 1 + static_cast<int>(random() % 32);
    const uint32_t mask = bit_width == 32 ? ~0U : (1U << bit_width) - 1;
    const size_t longest_run = 1 + random() % 40;
    std::vector<int32_t> values;
    const size_t count = random() % 3000;
    while (values.size() < count) {
      values.insert(values.end(), 1 + random() % longest_run,
                    static_cast<int32_t>(random() & mask));
    }
    const std::vector<uint8_t> bytes = encode(values, bit_width);
    std::vector<int32_t> decoded(values.size());
    ASSERT_TRUE(IndexDecoder(bytes, bit_width).decode(decoded));
    ASSERT_EQ(decoded, values);
  }
}

TEST(IndexEncoder, EqualValuesNeedNotBeListed) {
  for (size_t count = 0; count < 40; ++count) {
    for (const int bit_width : {1, 3, 11}) {
      SCOPED_TRACE(count);
      std::vector<uint8_t> bytes(encoded_indices_bytes_max(count, bit_width));
      const uint8_t* const end = encode_equal_indices(1, count, bit_width, bytes.data());
      bytes.resize(static_cast<size_t>(end - bytes.data()));
      EXPECT_EQ(bytes, encode(std::vector<int32_t>(count, 1), bit_width));
    }
  }
}

TEST(IndexEncoder, LongRunsTakeAFewBytes) {
  std::vector<int32_t> values;
  for (int32_t broker = 0; broker < 900; ++broker) values.insert(values.end(), 1000, broker);
  EXPECT_LT(encode(values, 10).size(), 900U * 16);
}

}  // namespace
}  // namespace tapeworks
