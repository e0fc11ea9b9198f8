#include "storage/page_header_internal.h"

#include <limits>

#include "base/byte_codec.h"
#include "storage/varint.h"

namespace tapeworks {
namespace {

using parquet::Encoding;
using parquet::PageType;

// A field's header holds the distance to the field before it and the type: 5 for an i32, which
// follows as zigzag varint, 12 for a struct. Fields 1 to 3 are the type and the two sizes.
constexpr uint8_t kNextInt32 = 0x15;
constexpr uint8_t kDataHeader = 0x2c;        // field 5
constexpr uint8_t kDictionaryHeader = 0x4c;  // field 7
constexpr uint8_t kStop = 0;                 // of a struct
constexpr size_t kNoEncoding = 1;            // among the numbers of encodings

/// A header as it is taken; what does not fit is remembered until the end.
class HeaderReader {
 public:
  explicit HeaderReader(std::span<const uint8_t> bytes)
      : in_({reinterpret_cast<const char*>(bytes.data()), bytes.size()}) {}

  void take_byte(uint8_t expected) { fits_ &= in_.take<uint8_t>() == expected; }
  /// A number that is not negative.
  size_t take_field() {
    take_byte(kNextInt32);
    const int64_t number = in_.take_signed_varint();
    fits_ &= number >= 0 && number <= std::numeric_limits<int32_t>::max();
    return static_cast<size_t>(number);
  }
  void require(bool holds) { fits_ &= holds; }

  bool ok() const { return fits_ && in_.ok(); }
  size_t left() const { return in_.left(); }

 private:
  ByteReader in_;
  bool fits_ = true;
};

}  // namespace

EncodedPageHeader::EncodedPageHeader(const PageHeader& header) {
  const bool is_dictionary = header.type == PageType::DICTIONARY_PAGE;
  put_field(header.type);
  put_field(header.uncompressed_bytes);
  put_field(header.compressed_bytes);
  put(is_dictionary ? kDictionaryHeader : kDataHeader);
  put_field(header.value_count);
  put_field(header.encoding);
  if (!is_dictionary) {
    put_field(Encoding::RLE);  // definition levels
    put_field(Encoding::RLE);  // repetition levels
  }
  put(kStop);
  put(kStop);
}

void EncodedPageHeader::put_field(size_t value) {
  put(kNextInt32);
  const uint8_t* const end = put_varint(bytes_.data() + size_, uint64_t{value} << 1);
  size_ = static_cast<size_t>(end - bytes_.data());
}

std::optional<PageHeader> take_page_header(std::span<const uint8_t>& bytes) {
  HeaderReader in(bytes);
  const size_t type = in.take_field();
  const bool is_dictionary = type == PageType::DICTIONARY_PAGE;
  in.require(is_dictionary || type == PageType::DATA_PAGE);
  const size_t uncompressed_bytes = in.take_field();
  const size_t compressed_bytes = in.take_field();
  in.take_byte(is_dictionary ? kDictionaryHeader : kDataHeader);
  const size_t value_count = in.take_field();
  const size_t encoding = in.take_field();
  if (!is_dictionary) {
    in.require(in.take_field() == Encoding::RLE);  // definition levels
    in.require(in.take_field() == Encoding::RLE);  // repetition levels
  }
  in.take_byte(kStop);
  in.take_byte(kStop);
  const bool has_encoding = encoding <= Encoding::BYTE_STREAM_SPLIT && encoding != kNoEncoding;
  if (!in.ok() || !has_encoding) return std::nullopt;
  bytes = bytes.last(in.left());
  return PageHeader{is_dictionary ? PageType::DICTIONARY_PAGE : PageType::DATA_PAGE,
                    uncompressed_bytes, compressed_bytes, value_count,
                    static_cast<Encoding::type>(encoding)};
}

}  // namespace tapeworks
