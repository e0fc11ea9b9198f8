#include "storage/crc32c.h"

#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace tapeworks {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

TEST(Crc32c, HasTheCheckValueOfItsDefinition) {
  EXPECT_EQ(crc32c(bytes_of("123456789")), 0xe3069283);
  EXPECT_EQ(extend_crc32c_portable(0, bytes_of("123456789")), 0xe3069283);
  EXPECT_EQ(crc32c({}), 0u);
}

TEST(Crc32c, AgreesWithTheVectorsOfRfc3720) {
  const std::vector<std::byte> zeros(32, std::byte{0});
  const std::vector<std::byte> ones(32, std::byte{0xff});
  std::vector<std::byte> rising(32);
  for (size_t i = 0; i < rising.size(); ++i) rising[i] = static_cast<std::byte>(i);
  EXPECT_EQ(crc32c(zeros), 0x8a9136aa);
  EXPECT_EQ(crc32c(ones), 0x62a8ab43);
  EXPECT_EQ(crc32c(rising), 0x46dd794e);
}

TEST(Crc32c, TheInstructionAndTheTablesAgreeOnAnyBytesAtAnyAlignmentAndCut) {
  constexpr uint64_t kSeed = 20261121;
  SCOPED_TRACE(kSeed);
  std::vector<std::byte> bytes(4096 + 64);
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::byte>(random_bits(kSeed, i));
  for (uint64_t round = 0; round < 3000; ++round) {
    const uint64_t key = derive_key(kSeed, round);
    const auto part = std::span<const std::byte>(bytes).subspan(
        random_below(random_bits(key, 0), 64), random_below(random_bits(key, 1), 4096));
    const uint32_t portable = extend_crc32c_portable(0, part);
    ASSERT_EQ(crc32c(part), portable) << "round " << round;
    const size_t cut = random_below(random_bits(key, 2), static_cast<uint32_t>(part.size() + 1));
    ASSERT_EQ(extend_crc32c(crc32c(part.first(cut)), part.subspan(cut)), portable);
    ASSERT_EQ(extend_crc32c_portable(extend_crc32c_portable(0, part.first(cut)), part.subspan(cut)),
              portable);
  }
}

TEST(Crc32c, EveryFlippedBitChangesIt) {
  std::vector<std::byte> bytes(64, std::byte{0x5a});
  const uint32_t whole = crc32c(bytes);
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    EXPECT_NE(crc32c(bytes), whole) << bit;
    bytes[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
  }
}

}  // namespace
}  // namespace tapeworks
