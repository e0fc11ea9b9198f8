#include "base/byte_codec.h"

#include <array>
#include <limits>

#include <gtest/gtest.h>

namespace tapeworks {
namespace {

constexpr std::array<uint64_t, 8> kNumbers{0,      1,      0x7f,       0x80,
                                           0x3fff, 0x4000, 1ULL << 63, ~uint64_t{0}};

TEST(ByteCodec, FixedWidthsReadBackAsWritten) {
  ByteWriter out;
  out.put(uint8_t{7});
  out.put(int64_t{-5});
  out.put(-0.25);
  out.put(std::string_view("a\0b", 3));
  EXPECT_EQ(out.bytes().size(), 1 + 8 + 8 + 4 + 3U);
  ByteReader in(out.bytes());
  EXPECT_EQ(in.take<uint8_t>(), 7);
  EXPECT_EQ(in.take<int64_t>(), -5);
  EXPECT_EQ(in.take<double>(), -0.25);
  EXPECT_EQ(in.take_text(), std::string("a\0b", 3));
  EXPECT_TRUE(in.ok() && in.at_end());
}

TEST(ByteCodec, VarintsReadBackAsWritten) {
  for (const uint64_t number : kNumbers) {
    ByteWriter out;
    out.put_varint(number);
    out.put_signed_varint(static_cast<int64_t>(number));
    out.put_varint_text("xy");
    ByteReader in(out.bytes());
    EXPECT_EQ(in.take_varint(), number);
    EXPECT_EQ(in.take_signed_varint(), static_cast<int64_t>(number));
    EXPECT_EQ(in.take_varint_text(), "xy");
    EXPECT_TRUE(in.ok() && in.at_end()) << number;
  }
}

TEST(ByteCodec, VarintsHaveTheBytesOfTheFormatPages) {
  ByteWriter out;
  out.put_varint(300);
  out.put_signed_varint(-1);
  out.put_signed_varint(1);
  EXPECT_EQ(out.bytes(), "\xac\x02\x01\x02");
}

TEST(ByteCodec, EveryCutIsSeenAndGivesZero) {
  for (const uint64_t number : kNumbers) {
    ByteWriter out;
    out.put_varint(number);
    for (size_t size = 0; size < out.bytes().size(); ++size) {
      ByteReader in(std::string_view(out.bytes()).substr(0, size));
      EXPECT_EQ(in.take_varint(), 0U);
      EXPECT_FALSE(in.ok()) << number << " cut to " << size;
    }
  }
  ByteReader in("abc");
  EXPECT_EQ(in.take<uint32_t>(), 0U);
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.take<uint8_t>(), 0U) << "nothing is left after a failure";
}

TEST(ByteCodec, OverlongVarintsAreRefused) {
  const std::string nine(9, '\xff');
  const auto is_ok = [](const std::string& bytes) {
    ByteReader in(bytes);
    in.take_varint();
    return in.ok();
  };
  EXPECT_TRUE(is_ok(nine + '\x01'));
  EXPECT_FALSE(is_ok(nine + '\x02')) << "more than 64 bits";
  EXPECT_FALSE(is_ok(nine + "\x81\x01")) << "eleven bytes";
  EXPECT_FALSE(is_ok(std::string("\x81\x00", 2))) << "1 with a byte too many";
  EXPECT_FALSE(is_ok(std::string("\x80\x00", 2))) << "0 with a byte too many";
}

TEST(ByteCodec, LengthsAndCountsBeyondTheEndAreRefused) {
  ByteWriter out;
  out.put_varint(std::numeric_limits<uint64_t>::max());
  out.put_raw("abc");
  {
    ByteReader in(out.bytes());
    EXPECT_EQ(in.take_varint_text(), "");
    EXPECT_FALSE(in.ok());
  }
  {
    ByteReader in(out.bytes());
    EXPECT_EQ(in.take_varint_count(16), 0U);
    EXPECT_FALSE(in.ok());
  }
  ByteWriter few;
  few.put_varint(3);
  few.put_raw("12345");
  ByteReader one_byte_each(few.bytes());
  EXPECT_EQ(one_byte_each.take_varint_count(1), 3U);
  ByteReader two_bytes_each(few.bytes());
  EXPECT_EQ(two_bytes_each.take_varint_count(2), 0U);
  EXPECT_FALSE(two_bytes_each.ok());
  ByteReader below(few.bytes());
  EXPECT_EQ(below.take_varint_below(3), 0U);
  EXPECT_FALSE(below.ok());
}

}  // namespace
}  // namespace tapeworks
