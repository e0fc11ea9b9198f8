#include "pipeline/group_record.h"

#include <optional>
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace tapeworks {
namespace {

Int128 random_amount(std::mt19937_64& random) {
  const Int128 value = static_cast<Int128>(random()) << 60 ^ static_cast<Int128>(random());
  const int shift = static_cast<int>(random() % 127);
  const Int128 shortened = value >> shift << (random() % 8);
  return random() % 2 == 0 ? shortened : -shortened;
}

/// What was packed, to compare with what comes back.
struct ExpectedRecord {
  GroupRecord group;
  std::optional<WideRow> wide;
};

ExpectedRecord random_record(std::mt19937_64& random) {
  ExpectedRecord record;
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
  if (random() % 10 == 0) {
    record.wide = {static_cast<int64_t>(random()), -5, std::string(random() % 300, '7')};
  }
  return record;
}

std::vector<std::byte> random_chunk(std::mt19937_64& random, RecordPacker& packer,
                                    std::vector<ExpectedRecord>& expected) {
  std::vector<std::byte> chunk;
  for (int i = 0; i < 200; ++i) {
    ExpectedRecord record = random_record(random);
    if (!expected.empty() && random() % 3 == 0) {
      record.group.symbol = expected.back().group.symbol;
      record.group.day = expected.back().group.day;
    }
    expected.push_back(std::move(record));
    const auto& [group, wide] = expected.back();
    if (wide) {
      packer.pack_wide(chunk, group, *wide);
      continue;
    }
    const size_t size = chunk.size();
    chunk.resize(size + kPackedRecordBytesMax);
    const std::byte* const end = packer.pack(chunk.data() + size, group, size == 0);
    chunk.resize(static_cast<size_t>(end - chunk.data()));
  }
  return chunk;
}

void expect_same(const DecodedRecord& decoded, const ExpectedRecord& expected) {
  const GroupRecord& group = expected.group;
  ASSERT_EQ(decoded.symbol, group.symbol);
  ASSERT_EQ(decoded.broker, group.broker);
  ASSERT_EQ(decoded.day, group.day);
  ASSERT_EQ(decoded.specials, group.specials);
  ASSERT_EQ(decoded.buy.shares, group.buy_shares);
  ASSERT_EQ(decoded.sell.shares, group.sell_shares);
  ASSERT_TRUE(decoded.buy.units() == group.buy_units);
  ASSERT_TRUE(decoded.sell.units() == group.sell_units);
  ASSERT_EQ(decoded.has_wide_row, expected.wide.has_value());
  if (!expected.wide) return;
  ASSERT_EQ(decoded.wide.buy_shares, expected.wide->buy_shares);
  ASSERT_EQ(decoded.wide.sell_shares, expected.wide->sell_shares);
  ASSERT_EQ(decoded.wide.price_text, expected.wide->price_text);
}

TEST(GroupRecord, ComesBackFromItsPackedFormAsItWas) {
  for (uint32_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    std::vector<std::byte> block;
    std::vector<ExpectedRecord> expected;
    RecordPacker packer;
    // Several chunks joined, as a spilled block has them.
    for (int chunk_number = 0; chunk_number < 3; ++chunk_number) {
      const auto chunk = random_chunk(random, packer, expected);
      block.insert(block.end(), chunk.begin(), chunk.end());
    }
    RecordUnpacker unpacker(block);
    DecodedRecord decoded;
    for (const ExpectedRecord& record : expected) {
      ASSERT_FALSE(unpacker.at_end());
      unpacker.next(decoded);
      expect_same(decoded, record);
    }
    EXPECT_TRUE(unpacker.at_end());
  }
}

TEST(GroupRecord, HasTheBytesOfTheExampleInTheDocs) {
  // docs/formats/runs.md: 2,000 shares bought and the next day 1,000 sold, both at 50.5.
  const Int128 units = static_cast<Int128>(101) << 39;
  GroupRecord bought{.symbol = 5, .broker = 300, .day = Day{19'360}, .buy_shares = 2'000};
  bought.buy_units = units * 2'000;
  GroupRecord sold{.symbol = 5, .broker = 7, .day = Day{19'361}, .sell_shares = 1'000};
  sold.sell_units = units * 1'000;
  std::vector<std::byte> bytes(2 * kPackedRecordBytesMax);
  RecordPacker packer;
  std::byte* const middle = packer.pack(bytes.data(), bought, true);
  const std::byte* const end = packer.pack(middle, sold, false);
  bytes.resize(static_cast<size_t>(end - bytes.data()));
  std::string hex;
  for (const std::byte byte : bytes) hex += fmt::format("{:02x}", static_cast<unsigned>(byte));
  EXPECT_EQ(hex,
            "0222002c010500a04b00002ba00fa262"
            "0000220700050001"
            "2ad007a262");
}

}  // namespace
}  // namespace tapeworks
