#include "storage/page_header_internal.h"

#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include <gtest/gtest.h>

namespace tapeworks {
namespace {

using parquet::Encoding;
using parquet::PageType;

std::vector<uint8_t> bytes_of(const PageHeader& header) {
  const EncodedPageHeader encoded(header);
  return {encoded.data(), encoded.data() + encoded.size()};
}

/// Of a page of 100 rows of `encoding`.
PageHeader data_page(Encoding::type encoding) {
  return {PageType::DATA_PAGE, 800, 700, 100, encoding};
}

// By hand, from parquet.thrift and the description of the compact protocol.
TEST(PageHeaderTest, ADataPageHasTheBytesOfTheSpecification) {
  EXPECT_EQ(bytes_of(data_page(Encoding::PLAIN)),
            (std::vector<uint8_t>{0x15, 0x00, 0x15, 0xc0, 0x0c, 0x15, 0xf8, 0x0a, 0x2c, 0x15,
                                  0xc8, 0x01, 0x15, 0x00, 0x15, 0x06, 0x15, 0x06, 0x00, 0x00}));
}

TEST(PageHeaderTest, ADictionaryHasTheBytesOfTheSpecification) {
  EXPECT_EQ(bytes_of({PageType::DICTIONARY_PAGE, 63, 64, 3, Encoding::PLAIN}),
            (std::vector<uint8_t>{0x15, 0x04, 0x15, 0x7e, 0x15, 0x80, 0x01, 0x4c, 0x15, 0x06, 0x15,
                                  0x00, 0x00, 0x00}));
}

TEST(PageHeaderTest, WhatWasEncodedIsTaken) {
  std::mt19937_64 random(7);
  const auto below = [&random](size_t limit) { return static_cast<size_t>(random()) % limit; };
  for (int round = 0; round < 1000; ++round) {
    const size_t limit = size_t{1} << (1 + below(31));
    const PageHeader header{below(2) == 0 ? PageType::DATA_PAGE : PageType::DICTIONARY_PAGE,
                            below(limit), below(limit), below(limit),
                            below(2) == 0 ? Encoding::PLAIN : Encoding::BYTE_STREAM_SPLIT};
    auto bytes = bytes_of(header);
    bytes.push_back(0x77);
    std::span<const uint8_t> rest(bytes);
    ASSERT_EQ(take_page_header(rest), header);
    ASSERT_EQ(rest.size(), 1U);
    EXPECT_EQ(rest[0], 0x77);
  }
}

TEST(PageHeaderTest, ACutHeaderIsNone) {
  const auto bytes = bytes_of(data_page(Encoding::RLE_DICTIONARY));
  for (size_t size = 0; size < bytes.size(); ++size) {
    std::span<const uint8_t> rest(bytes.data(), size);
    EXPECT_EQ(take_page_header(rest), std::nullopt) << size << " bytes";
  }
}

/// Takes `bytes` with one of them changed.
std::optional<PageHeader> take_changed(std::vector<uint8_t> bytes, size_t at, uint8_t value) {
  bytes.at(at) = value;
  std::span<const uint8_t> rest(bytes);
  return take_page_header(rest);
}

TEST(PageHeaderTest, WhatOthersWriteIsNone) {
  const auto bytes = bytes_of(data_page(Encoding::PLAIN));
  EXPECT_EQ(take_changed(bytes, 1, 0x06), std::nullopt) << "a data page of version 2";
  EXPECT_EQ(take_changed(bytes, 8, 0x4c), std::nullopt) << "the header of a dictionary";
  EXPECT_EQ(take_changed(bytes, 8, 0x1c), std::nullopt) << "a checksum's place";
  EXPECT_EQ(take_changed(bytes, 13, 0x14), std::nullopt) << "an unknown encoding";
  EXPECT_EQ(take_changed(bytes, 13, 0x01), std::nullopt) << "a negative number";
  EXPECT_EQ(take_changed(bytes, 15, 0x08), std::nullopt) << "levels as bits";
  EXPECT_EQ(take_changed(bytes, 18, 0x1c), std::nullopt) << "statistics";
}

/// Takes the header of a dictionary whose count of values has these bytes.
std::optional<PageHeader> take_with_count(const std::vector<uint8_t>& count) {
  std::vector<uint8_t> bytes{0x15, 0x04, 0x15, 0x02, 0x15, 0x02, 0x4c, 0x15};
  bytes.insert(bytes.end(), count.begin(), count.end());
  bytes.insert(bytes.end(), {0x15, 0x00, 0x00, 0x00});
  std::span<const uint8_t> rest(bytes);
  return take_page_header(rest);
}

TEST(PageHeaderTest, NumbersEndWithThoseOf31Bits) {
  const auto largest = take_with_count({0xfe, 0xff, 0xff, 0xff, 0x0f});
  ASSERT_NE(largest, std::nullopt);
  EXPECT_EQ(largest->value_count, 2147483647U);
  EXPECT_EQ(take_with_count({0x80, 0x80, 0x80, 0x80, 0x10}), std::nullopt) << "2^31";
  EXPECT_EQ(take_with_count({0x82, 0x80, 0x80, 0x80, 0x80, 0x01}), std::nullopt) << "6 bytes";
  EXPECT_EQ(take_with_count({0x03}), std::nullopt) << "-2";
  EXPECT_EQ(take_with_count({0x82, 0x00}), std::nullopt) << "a padded 1";
}

}  // namespace
}  // namespace tapeworks
