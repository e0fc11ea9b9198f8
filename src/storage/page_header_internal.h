#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <parquet/types.h>

namespace tapeworks {

/// What stands before each page of a column chunk: a data page of version 1 or a dictionary, with
/// levels as RLE and no statistics, which is what ChunkEncoder writes. Source: PageHeader of
/// parquet.thrift, in Thrift's compact protocol.
struct PageHeader {
  parquet::PageType::type type = parquet::PageType::DATA_PAGE;
  size_t uncompressed_bytes = 0;
  size_t compressed_bytes = 0;  ///< behind the header in the file
  size_t value_count = 0;       ///< of a data page its rows, nulls too
  parquet::Encoding::type encoding = parquet::Encoding::PLAIN;

  friend bool operator==(const PageHeader&, const PageHeader&) = default;
};

/// A header as it stands in the file.
class EncodedPageHeader {
 public:
  explicit EncodedPageHeader(const PageHeader& header);

  const uint8_t* data() const { return bytes_.data(); }
  size_t size() const { return size_; }

 private:
  void put(uint8_t byte) { bytes_[size_++] = byte; }
  void put_field(size_t value);

  std::array<uint8_t, 64> bytes_{};
  size_t size_ = 0;
};

/// The header that `bytes` begins with, which it is taken off. Nothing, and `bytes` as it was, for
/// one of another shape: a field more or less, or a number with more bytes than it needs. Whether
/// sizes and encoding fit what follows is the caller's to judge.
std::optional<PageHeader> take_page_header(std::span<const uint8_t>& bytes);

}  // namespace tapeworks
