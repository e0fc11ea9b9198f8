#include "storage/delta_encoder.h"

#include <limits>
#include <random>
#include <vector>

#include <arrow/buffer.h>
#include <gtest/gtest.h>
#include <parquet/encoding.h>

namespace tapeworks {
namespace {

template <typename Value>
std::vector<uint8_t> encode(const std::vector<Value>& values) {
  std::vector<uint8_t> bytes(encoded_deltas_bytes_max(values.size(), sizeof(Value)));
  const uint8_t* const end = encode_deltas(std::span(values), bytes.data());
  EXPECT_LE(end, bytes.data() + bytes.size());
  bytes.resize(static_cast<size_t>(end - bytes.data()));
  return bytes;
}

template <typename DType>
std::vector<uint8_t> encode_by_library(const std::vector<typename DType::c_type>& values) {
  const auto encoder =
      parquet::MakeTypedEncoder<DType>(parquet::Encoding::DELTA_BINARY_PACKED, false, nullptr);
  encoder->Put(values.data(), static_cast<int>(values.size()));
  const auto bytes = encoder->FlushValues();
  return {bytes->data(), bytes->data() + bytes->size()};
}

/// Walks of many step sizes, some of which overflow, with long pieces that stay where they are.
template <typename Value>
std::vector<Value> make_values(uint32_t seed) {
  using Unsigned = std::make_unsigned_t<Value>;
  std::mt19937_64 random(seed);
  std::vector<Value> values;
  const size_t count = random() % 700;
  auto at = static_cast<Unsigned>(random());
  while (values.size() < count) {
    const unsigned bits = static_cast<unsigned>(random() % (sizeof(Value) * 8 + 1));
    const Unsigned mask =
        bits == sizeof(Value) * 8 ? ~Unsigned{0} : static_cast<Unsigned>((Unsigned{1} << bits) - 1);
    for (size_t piece = 1 + random() % 200; piece > 0 && values.size() < count; --piece) {
      values.push_back(static_cast<Value>(at));
      at += static_cast<Unsigned>(random()) & mask;
      at -= mask / 2;
    }
  }
  return values;
}

TEST(DeltaEncoder, WritesTheBytesOfTheFormatsExample) {
  // 7, 5, 3, 1, 2, 3, 4, 5: differences -2, -2, -2, 1, 1, 1, 1, of which -2 is taken away. The
  // header, and the widths of four parts of a block, of which one is used.
  const std::vector<uint8_t> bytes = encode(std::vector<int32_t>{7, 5, 3, 1, 2, 3, 4, 5});
  EXPECT_EQ(bytes, (std::vector<uint8_t>{0x80, 0x01, 4, 8, 14, 3, 2, 0, 0, 0, 0xc0, 0x3f, 0, 0, 0,
                                         0, 0, 0}));
}

TEST(DeltaEncoder, WritesTheBytesOfTheLibrary) {
  for (uint32_t seed = 0; seed < 1000; ++seed) {
    SCOPED_TRACE(seed);
    const auto narrow = make_values<int32_t>(seed);
    ASSERT_EQ(encode(narrow), encode_by_library<parquet::Int32Type>(narrow));
    const auto wide = make_values<int64_t>(seed);
    ASSERT_EQ(encode(wide), encode_by_library<parquet::Int64Type>(wide));
  }
}

TEST(DeltaEncoder, BlocksMayEndAnywhere) {
  for (const size_t count :
       {31U, 32U, 33U, 63U, 64U, 65U, 127U, 128U, 129U, 130U, 255U, 256U, 257U, 258U, 512U, 513U}) {
    SCOPED_TRACE(count);
    std::mt19937_64 random(count);
    std::vector<int32_t> narrow(count);
    std::vector<int64_t> wide(count);
    for (int32_t& value : narrow) value = static_cast<int32_t>(random());
    for (int64_t& value : wide) value = static_cast<int64_t>(random());
    EXPECT_EQ(encode(narrow), encode_by_library<parquet::Int32Type>(narrow));
    EXPECT_EQ(encode(wide), encode_by_library<parquet::Int64Type>(wide));
  }
}

TEST(DeltaEncoder, NothingOneAndTheLimits) {
  using Narrow = std::numeric_limits<int32_t>;
  using Wide = std::numeric_limits<int64_t>;
  for (const std::vector<int32_t>& values : std::vector<std::vector<int32_t>>{
           {}, {5}, {Narrow::max()}, {Narrow::min(), Narrow::max(), Narrow::min()}}) {
    EXPECT_EQ(encode(values), encode_by_library<parquet::Int32Type>(values));
  }
  for (const std::vector<int64_t>& values : std::vector<std::vector<int64_t>>{
           {}, {-5}, {Wide::min()}, {Wide::max(), Wide::min(), 0, Wide::max()}}) {
    EXPECT_EQ(encode(values), encode_by_library<parquet::Int64Type>(values));
  }
}

}  // namespace
}  // namespace tapeworks
