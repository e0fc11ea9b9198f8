#include "storage/index_decoder.h"

#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace tapeworks {
namespace {

void put_varint(std::vector<uint8_t>& bytes, uint64_t value) {
  while (value >= 0x80) {
    bytes.push_back(static_cast<uint8_t>(value | 0x80));
    value >>= 7;
  }
  bytes.push_back(static_cast<uint8_t>(value));
}

void put_repeated(std::vector<uint8_t>& bytes, int bit_width, uint64_t count, uint32_t value) {
  put_varint(bytes, count << 1);
  for (int i = 0; i < (bit_width + 7) / 8; ++i) {
    bytes.push_back(static_cast<uint8_t>(value >> (8 * i)));
  }
}

/// `values` must be a multiple of eight long.
void put_packed(std::vector<uint8_t>& bytes, int bit_width, const std::vector<uint32_t>& values) {
  put_varint(bytes, (values.size() / 8) << 1 | 1);
  const size_t start = bytes.size();
  bytes.resize(start + values.size() * static_cast<size_t>(bit_width) / 8);
  size_t bit = 0;
  for (const uint32_t value : values) {
    for (int i = 0; i < bit_width; ++i, ++bit) {
      if ((value >> i & 1U) != 0) {
        bytes[start + bit / 8] = static_cast<uint8_t>(bytes[start + bit / 8] | 1U << (bit % 8));
      }
    }
  }
}

TEST(IndexDecoder, ReadsBothKindsOfRunsInAnyPieces) {
  for (uint32_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const int bit_width = static_cast<int>(random() % 33);
    const uint32_t mask = bit_width == 32 ? ~0U : (1U << bit_width) - 1;
    std::vector<uint8_t> bytes;
    std::vector<uint32_t> expected;
    for (int run = 0; run < 6; ++run) {
      if (random() % 2 == 0) {
        const uint64_t count = 1 + random() % 300;
        const uint32_t value = static_cast<uint32_t>(random()) & mask;
        put_repeated(bytes, bit_width, count, value);
        expected.insert(expected.end(), count, value);
      } else {
        std::vector<uint32_t> values(8 * (1 + random() % 20));
        for (uint32_t& value : values) value = static_cast<uint32_t>(random()) & mask;
        put_packed(bytes, bit_width, values);
        expected.insert(expected.end(), values.begin(), values.end());
      }
    }
    IndexDecoder decoder(bytes, bit_width);
    std::vector<int32_t> decoded(expected.size());
    for (size_t at = 0; at < decoded.size();) {
      const size_t piece = std::min<size_t>(1 + random() % 37, decoded.size() - at);
      ASSERT_TRUE(decoder.decode(std::span(decoded).subspan(at, piece)));
      at += piece;
    }
    for (size_t i = 0; i < decoded.size(); ++i) {
      ASSERT_EQ(static_cast<uint32_t>(decoded[i]), expected[i]) << "value " << i;
    }
    int32_t one_more = 0;
    EXPECT_FALSE(decoder.decode(std::span(&one_more, 1)));
  }
}

TEST(IndexDecoder, NeverReadsOutsideItsBytes) {
  // The sanitizers are the judge here: every prefix and many random streams.
  for (uint32_t seed = 0; seed < 2000; ++seed) {
    std::mt19937 random(seed);
    std::vector<uint8_t> bytes(random() % 40);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    const std::vector<uint8_t> exact(bytes.begin(), bytes.end());
    IndexDecoder decoder(exact, static_cast<int>(random() % 33));
    std::vector<int32_t> values(100);
    for (int i = 0; i < 10 && decoder.decode(values); ++i) {
    }
  }
}

TEST(IndexDecoder, RefusesARunOfNothing) {
  const std::vector<uint8_t> bytes{0x00, 0x05};
  IndexDecoder decoder(bytes, 3);
  int32_t value = 0;
  EXPECT_FALSE(decoder.decode(std::span(&value, 1)));
}

TEST(IndexDecoder, RefusesAnEndlessVarint) {
  const std::vector<uint8_t> bytes(20, 0xff);
  IndexDecoder decoder(bytes, 1);
  int32_t value = 0;
  EXPECT_FALSE(decoder.decode(std::span(&value, 1)));
}

TEST(IndexDecoder, TellsOneRunThatCoversAllWithoutReadingIt) {
  std::vector<uint8_t> bytes;
  put_repeated(bytes, 1, 100, 1);
  IndexDecoder decoder(bytes, 1);
  EXPECT_TRUE(decoder.starts_with_run(1, 100));
  EXPECT_FALSE(decoder.starts_with_run(1, 101));
  EXPECT_FALSE(decoder.starts_with_run(0, 100));
  std::vector<int32_t> values(100);
  EXPECT_TRUE(decoder.decode(values));
}

}  // namespace
}  // namespace tapeworks
