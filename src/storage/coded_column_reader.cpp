#include <algorithm>
#include <cstring>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/units.h"
#include "storage/arrow_status_internal.h"
#include "storage/column_reader.h"
#include "storage/plain_values_internal.h"

namespace tapeworks {
namespace {

template <typename CType>
std::string_view bytes_of(const CType& value, int type_length) {
  if constexpr (std::is_same_v<CType, parquet::ByteArray>) {
    return {reinterpret_cast<const char*>(value.ptr), value.len};
  } else if constexpr (std::is_same_v<CType, parquet::FLBA>) {
    return {reinterpret_cast<const char*>(value.ptr), static_cast<size_t>(type_length)};
  } else {
    return {reinterpret_cast<const char*>(&value), sizeof value};
  }
}

/// Bytes of one value of a fixed-width type, 0 for texts, nothing for types that are not read.
std::optional<size_t> fixed_value_bytes(const parquet::ColumnDescriptor& descriptor) {
  switch (descriptor.physical_type()) {
    case parquet::Type::INT32:
    case parquet::Type::FLOAT:
      return 4;
    case parquet::Type::INT64:
    case parquet::Type::DOUBLE:
      return 8;
    case parquet::Type::INT96:
      return 12;
    case parquet::Type::FIXED_LEN_BYTE_ARRAY:
      return static_cast<size_t>(std::max(descriptor.type_length(), 1));
    case parquet::Type::BYTE_ARRAY:
      return 0;
    default:
      return std::nullopt;
  }
}

/// Spreads the first values over the rows that have one, from the back; the others become null.
void scatter(std::span<int32_t> codes, std::span<const int32_t> levels, size_t value_count) {
  for (size_t row = codes.size(); row-- > 0;) {
    codes[row] = levels[row] == 1 ? codes[--value_count] : -1;
  }
}

}  // namespace

class CodedColumnReader::PlainValues {
 public:
  void set(const parquet::ColumnDescriptor& descriptor, std::span<const uint8_t> bytes,
           int32_t value_count, parquet::Encoding::type encoding) {
    type_length_ = descriptor.type_length();
    const auto make = [&]<typename DType>(std::type_identity<DType>) {
      decoder_ = make_page_decoder<DType>(descriptor, bytes, value_count, encoding);
    };
    switch (descriptor.physical_type()) {
      case parquet::Type::INT32:
        return make(std::type_identity<parquet::Int32Type>{});
      case parquet::Type::INT64:
        return make(std::type_identity<parquet::Int64Type>{});
      case parquet::Type::INT96:
        return make(std::type_identity<parquet::Int96Type>{});
      case parquet::Type::FLOAT:
        return make(std::type_identity<parquet::FloatType>{});
      case parquet::Type::DOUBLE:
        return make(std::type_identity<parquet::DoubleType>{});
      case parquet::Type::FIXED_LEN_BYTE_ARRAY:
        return make(std::type_identity<parquet::FLBAType>{});
      default:
        return make(std::type_identity<parquet::ByteArrayType>{});
    }
  }

  /// Calls visit(bytes) for each of the next `value_count` values; false when there are fewer.
  template <typename Visit>
  bool for_each(size_t value_count, Visit&& visit) {
    return std::visit([&](auto& decoder) { return visit_from(*decoder, value_count, visit); },
                      decoder_);
  }

 private:
  template <typename DType, typename Visit>
  bool visit_from(parquet::TypedDecoder<DType>& decoder, size_t value_count, Visit&& visit) {
    std::vector<typename DType::c_type> values(std::min(value_count, kValuesPerCall));
    while (value_count > 0) {
      const size_t count = std::min(value_count, kValuesPerCall);
      if (decoder.Decode(values.data(), static_cast<int>(count)) != static_cast<int>(count)) {
        return false;
      }
      for (size_t i = 0; i < count; ++i) visit(bytes_of(values[i], type_length_));
      value_count -= count;
    }
    return true;
  }

  template <typename DType>
  using DecoderPtr = std::unique_ptr<typename parquet::EncodingTraits<DType>::Decoder>;

  int type_length_ = 0;
  std::variant<DecoderPtr<parquet::ByteArrayType>, DecoderPtr<parquet::FLBAType>,
               DecoderPtr<parquet::Int32Type>, DecoderPtr<parquet::Int64Type>,
               DecoderPtr<parquet::Int96Type>, DecoderPtr<parquet::FloatType>,
               DecoderPtr<parquet::DoubleType>>
      decoder_;
};

CodedColumnReader::CodedColumnReader(RowGroupInput& row_group, int column, PlainCodes plain_codes)
    : ColumnChunkReader(row_group, column),
      plain_(std::make_unique<PlainValues>()),
      value_bytes_(*fixed_value_bytes(descriptor_)),
      plain_codes_(value_bytes_ == 0 ? PlainCodes::kByValue : plain_codes) {
  if (budget() != nullptr) values_memory_ = Reservation(*budget());
}

CodedColumnReader::~CodedColumnReader() = default;

Result<std::unique_ptr<CodedColumnReader>> CodedColumnReader::open(RowGroupInput& row_group,
                                                                   int column,
                                                                   PlainCodes plain_codes) {
  const std::string where = place_of(row_group, column);
  if (!fixed_value_bytes(row_group.file().column(column))) {
    return corrupt("{}: values of this type are not understood", where);
  }
  return catch_parquet(where, [&]() -> Result<std::unique_ptr<CodedColumnReader>> {
    return std::unique_ptr<CodedColumnReader>(
        new CodedColumnReader(row_group, column, plain_codes));
  });
}

Status CodedColumnReader::set_dictionary(std::span<const uint8_t> bytes, int32_t value_count) {
  // Each value takes a byte at least, so the count cannot make us allocate more than the page.
  const auto count = static_cast<size_t>(value_count);
  const auto too_short = [&] {
    return corrupt("{}: a dictionary ends before its {} values", where(), value_count);
  };
  const size_t least_bytes = value_bytes_ == 0 ? 4 : value_bytes_;
  if (count > bytes.size() / least_bytes) return too_short();
  values_.reserve(count);
  TW_TRY(reserve_values());
  for (size_t i = 0; i < count; ++i) {
    size_t length = value_bytes_;
    if (value_bytes_ == 0) {
      if (bytes.size() < 4) return too_short();
      length = bytes[0] | bytes[1] << 8 | bytes[2] << 16 | static_cast<uint32_t>(bytes[3]) << 24;
      bytes = bytes.subspan(4);
    }
    if (length > bytes.size()) return too_short();
    values_.emplace_back(reinterpret_cast<const char*>(bytes.data()), length);
    bytes = bytes.subspan(length);
  }
  dictionary_size_ = count;
  return {};
}

Status CodedColumnReader::set_values(std::span<const uint8_t> bytes, int32_t value_count,
                                     parquet::Encoding::type encoding) {
  plain_->set(descriptor_, bytes, value_count, encoding);
  return {};
}

Status CodedColumnReader::read(std::span<int32_t> codes) {
  if (plain_codes_ == PlainCodes::kByRow) values_.resize(dictionary_size_);
  row_values_.clear();
  while (!codes.empty()) {
    TW_ASSIGN(const PageSlice slice, next_slice(codes.size()));
    const auto dense = codes.first(slice.value_count);
    if (page_is_dictionary_encoded()) {
      TW_TRY(decode_indices(dense, dictionary_size_));
    } else {
      TW_TRY(read_plain(dense));
    }
    if (!slice.levels.empty())
      scatter(codes.first(slice.row_count), slice.levels, slice.value_count);
    codes = codes.subspan(slice.row_count);
  }
  return {};
}

Status CodedColumnReader::discard(size_t row_count) {
  std::vector<int32_t> codes(row_count);
  return read(codes);
}

Status CodedColumnReader::read_plain(std::span<int32_t> codes) {
  return catch_parquet(where(), [&]() -> Status {
    if (!(plain_codes_ == PlainCodes::kByRow ? keep_rows(codes) : intern_values(codes))) {
      return corrupt("{}: a page ends before its values", where());
    }
    return reserve_values();
  });
}

bool CodedColumnReader::intern_values(std::span<int32_t> codes) {
  auto code = codes.begin();
  const bool complete = plain_->for_each(codes.size(), [&](std::string_view bytes) {
    *code++ = static_cast<int32_t>(dictionary_size_ + interner_.intern(bytes));
  });
  const auto& interned = interner_.values();
  values_.insert(values_.end(),
                 interned.begin() + static_cast<ptrdiff_t>(values_.size() - dictionary_size_),
                 interned.end());
  return complete;
}

bool CodedColumnReader::keep_rows(std::span<int32_t> codes) {
  std::vector<char>& block = row_values_.emplace_back(codes.size() * value_bytes_);
  char* at = block.data();
  auto code = codes.begin();
  return plain_->for_each(codes.size(), [&](std::string_view bytes) {
    std::memcpy(at, bytes.data(), value_bytes_);
    *code++ = static_cast<int32_t>(values_.size());
    values_.emplace_back(at, value_bytes_);
    at += value_bytes_;
  });
}

Status CodedColumnReader::reserve_values() {
  uint64_t bytes = interner_.allocated_bytes() + values_.capacity() * sizeof(std::string_view);
  for (const auto& block : row_values_) bytes += block.capacity();
  if (budget() == nullptr || values_memory_.resize(bytes)) return {};
  return over_budget("{}: its {} distinct values need {} of memory; give more --memory", where(),
                     values_.size(), format_byte_size(bytes));
}

}  // namespace tapeworks
