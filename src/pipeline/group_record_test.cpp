#include "pipeline/group_record.h"

#include <random>

#include <gtest/gtest.h>

namespace tapeworks {
namespace {

Int128 random_amount(std::mt19937_64& random) {
  const Int128 value = static_cast<Int128>(random()) << 60 ^ static_cast<Int128>(random());
  const int shift = static_cast<int>(random() % 127);
  const Int128 shortened = value >> shift << (random() % 8);
  return random() % 2 == 0 ? shortened : -shortened;
}

TEST(GroupRecord, ComesBackFromItsPackedFormAsItWas) {
  for (uint32_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    std::vector<std::byte> block;
    std::vector<DecodedRecord> expected;
    RecordPacker packer;
    // Several chunks joined, as a spilled block has them.
    for (int chunk_number = 0; chunk_number < 3; ++chunk_number) {
      std::vector<std::byte> chunk;
      for (int i = 0; i < 200; ++i) {
        DecodedRecord record;
        GroupRecord& group = record.group;
        group.symbol = static_cast<uint32_t>(random() >> (random() % 60));
        group.broker = static_cast<uint32_t>(random() >> (random() % 60));
        group.day = random() % 50 == 0 ? kNullDay : Day{static_cast<int32_t>(random() % 40000)};
        if (random() % 3 != 0) {
          group.buy_shares = static_cast<int64_t>(random()) >> (random() % 60);
          group.buy_units = random_amount(random);
        }
        if (random() % 3 != 0) {
          group.sell_shares = static_cast<int64_t>(random() % 5000);
          group.sell_units = random_amount(random);
        }
        group.specials = random() % 9 == 0 ? static_cast<uint8_t>(random() % 64) : uint8_t{0};
        record.has_wide_row = random() % 10 == 0;
        if (record.has_wide_row) {
          record.wide = {static_cast<int64_t>(random()), -5, std::string(random() % 300, '7')};
        }
        packer.append(chunk, group, record.has_wide_row ? &record.wide : nullptr);
        expected.push_back(record);
      }
      block.insert(block.end(), chunk.begin(), chunk.end());
    }
    RecordUnpacker unpacker(block);
    DecodedRecord decoded;
    for (const DecodedRecord& record : expected) {
      ASSERT_FALSE(unpacker.at_end());
      unpacker.next(decoded);
      const GroupRecord& a = decoded.group;
      const GroupRecord& b = record.group;
      ASSERT_EQ(a.symbol, b.symbol);
      ASSERT_EQ(a.broker, b.broker);
      ASSERT_EQ(a.day, b.day);
      ASSERT_EQ(a.specials, b.specials);
      ASSERT_EQ(a.buy_shares, b.buy_shares);
      ASSERT_EQ(a.sell_shares, b.sell_shares);
      ASSERT_TRUE(a.buy_units == b.buy_units);
      ASSERT_TRUE(a.sell_units == b.sell_units);
      ASSERT_EQ(decoded.has_wide_row, record.has_wide_row);
      if (!record.has_wide_row) continue;
      ASSERT_EQ(decoded.wide.buy_shares, record.wide.buy_shares);
      ASSERT_EQ(decoded.wide.sell_shares, record.wide.sell_shares);
      ASSERT_EQ(decoded.wide.price_text, record.wide.price_text);
    }
    EXPECT_TRUE(unpacker.at_end());
  }
}

}  // namespace
}  // namespace tapeworks
