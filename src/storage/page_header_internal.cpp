#include "storage/page_header_internal.h"

#include <limits>

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

bool take_byte(std::span<const uint8_t>& bytes, uint8_t expected) {
  if (bytes.empty() || bytes[0] != expected) return false;
  bytes = bytes.subspan(1);
  return true;
}

/// A number that is not negative.
std::optional<size_t> take_field(std::span<const uint8_t>& bytes) {
  if (!take_byte(bytes, kNextInt32)) return std::nullopt;
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 35 && !bytes.empty(); shift += 7) {
    const uint8_t byte = bytes[0];
    bytes = bytes.subspan(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) != 0) continue;
    const bool is_valid = (value & 1) == 0 && value >> 1 <= std::numeric_limits<int32_t>::max();
    return is_valid ? std::optional(static_cast<size_t>(value >> 1)) : std::nullopt;
  }
  return std::nullopt;
}

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
  const auto type = take_field(bytes);
  const auto uncompressed_bytes = take_field(bytes);
  const auto compressed_bytes = take_field(bytes);
  if (!type || !uncompressed_bytes || !compressed_bytes) return std::nullopt;
  const bool is_dictionary = *type == PageType::DICTIONARY_PAGE;
  if (!is_dictionary && *type != PageType::DATA_PAGE) return std::nullopt;
  if (!take_byte(bytes, is_dictionary ? kDictionaryHeader : kDataHeader)) return std::nullopt;
  const auto value_count = take_field(bytes);
  const auto encoding = take_field(bytes);
  if (!value_count || !encoding || *encoding > Encoding::BYTE_STREAM_SPLIT) return std::nullopt;
  // Of a data page, how definition and repetition levels are stored.
  for (int levels = 0; !is_dictionary && levels < 2; ++levels) {
    if (take_field(bytes) != size_t{Encoding::RLE}) return std::nullopt;
  }
  if (!take_byte(bytes, kStop) || !take_byte(bytes, kStop)) return std::nullopt;
  return PageHeader{is_dictionary ? PageType::DICTIONARY_PAGE : PageType::DATA_PAGE,
                    *uncompressed_bytes, *compressed_bytes, *value_count,
                    static_cast<Encoding::type>(*encoding)};
}

}  // namespace tapeworks
