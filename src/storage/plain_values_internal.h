#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>

#include <parquet/encoding.h>
#include <parquet/exception.h>
#include <parquet/schema.h>

namespace tapeworks {

/// The values of one page that has no dictionary, through the library's decoder for its encoding.
/// Throws parquet::ParquetException for an encoding that its type does not have.
template <typename DType>
std::unique_ptr<typename parquet::EncodingTraits<DType>::Decoder> make_page_decoder(
    const parquet::ColumnDescriptor& descriptor, std::span<const uint8_t> bytes,
    int32_t value_count, parquet::Encoding::type encoding) {
  auto decoder = parquet::MakeTypedDecoder<DType>(encoding, &descriptor);
  if (decoder == nullptr) throw parquet::ParquetException("a page has an unknown encoding");
  decoder->SetData(value_count, bytes.data(), static_cast<int>(bytes.size()));
  return decoder;
}

/// How many values are asked of a decoder in one call.
inline constexpr size_t kValuesPerCall = 1024;

}  // namespace tapeworks
