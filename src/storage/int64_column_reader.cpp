#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/hot_loop.h"
#include "storage/arrow_status_internal.h"
#include "storage/column_reader.h"
#include "storage/plain_values_internal.h"

namespace tapeworks {
namespace {

template <typename Integer>
Integer load_little_endian(const uint8_t* bytes) {
  Integer value = 0;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(&value, bytes, sizeof value);
  } else {
    for (size_t i = sizeof value; i-- > 0;) value = static_cast<Integer>(value << 8 | bytes[i]);
  }
  return value;
}

/// All indices are within the dictionary.
TW_HOT_LOOP void look_up(const int64_t* dictionary, std::span<const int32_t> indices,
                         int64_t* values) {
  for (size_t i = 0; i < indices.size(); ++i) values[i] = dictionary[indices[i]];
}

}  // namespace

class Int64ColumnReader::PlainValues {
 public:
  void set(const parquet::ColumnDescriptor& descriptor, std::span<const uint8_t> bytes,
           int32_t value_count, parquet::Encoding::type encoding) {
    narrow_ = nullptr;
    wide_ = nullptr;
    if (descriptor.physical_type() == parquet::Type::INT32) {
      narrow_ = make_page_decoder<parquet::Int32Type>(descriptor, bytes, value_count, encoding);
    } else {
      wide_ = make_page_decoder<parquet::Int64Type>(descriptor, bytes, value_count, encoding);
    }
  }

  bool decode(std::span<int64_t> values, bool is_unsigned) {
    if (wide_ != nullptr) {
      return wide_->Decode(values.data(), static_cast<int>(values.size())) ==
             static_cast<int>(values.size());
    }
    scratch_.resize(values.size());
    if (narrow_->Decode(scratch_.data(), static_cast<int>(values.size())) !=
        static_cast<int>(values.size())) {
      return false;
    }
    std::ranges::transform(scratch_, values.begin(), [&](int32_t value) {
      return is_unsigned ? int64_t{static_cast<uint32_t>(value)} : int64_t{value};
    });
    return true;
  }

 private:
  std::unique_ptr<parquet::EncodingTraits<parquet::Int32Type>::Decoder> narrow_;
  std::unique_ptr<parquet::EncodingTraits<parquet::Int64Type>::Decoder> wide_;
  std::vector<int32_t> scratch_;
};

Int64ColumnReader::Int64ColumnReader(RowGroupInput& row_group, int column)
    : ColumnChunkReader(row_group, column), plain_(std::make_unique<PlainValues>()) {
  const auto& logical = descriptor_.logical_type();
  is_unsigned_ = logical != nullptr && logical->is_int() &&
                 !static_cast<const parquet::IntLogicalType&>(*logical).is_signed();
}

Int64ColumnReader::~Int64ColumnReader() = default;

Result<std::unique_ptr<Int64ColumnReader>> Int64ColumnReader::open(RowGroupInput& row_group,
                                                                   int column) {
  const std::string where = place_of(row_group, column);
  const auto type = row_group.file().column(column).physical_type();
  if (type != parquet::Type::INT32 && type != parquet::Type::INT64) {
    return corrupt("{}: integers are needed", where);
  }
  return catch_parquet(where, [&]() -> Result<std::unique_ptr<Int64ColumnReader>> {
    return std::unique_ptr<Int64ColumnReader>(new Int64ColumnReader(row_group, column));
  });
}

Status Int64ColumnReader::set_dictionary(std::span<const uint8_t> bytes, int32_t value_count) {
  const bool narrow = descriptor_.physical_type() == parquet::Type::INT32;
  const size_t width = narrow ? 4 : 8;
  const auto count = static_cast<size_t>(value_count);
  if (count > bytes.size() / width) {
    return corrupt("{}: a dictionary ends before its {} values", where(), value_count);
  }
  dictionary_.resize(count);
  for (size_t i = 0; i < count; ++i) {
    const uint8_t* at = bytes.data() + i * width;
    if (!narrow) {
      dictionary_[i] = load_little_endian<int64_t>(at);
    } else if (is_unsigned_) {
      dictionary_[i] = load_little_endian<uint32_t>(at);
    } else {
      dictionary_[i] = load_little_endian<int32_t>(at);
    }
  }
  return {};
}

Status Int64ColumnReader::set_values(std::span<const uint8_t> bytes, int32_t value_count,
                                     parquet::Encoding::type encoding) {
  plain_->set(descriptor_, bytes, value_count, encoding);
  return {};
}

Status Int64ColumnReader::decode_dense(std::span<int64_t> values) {
  if (!page_is_dictionary_encoded()) {
    return catch_parquet(where(), [&]() -> Status {
      if (plain_->decode(values, is_unsigned_)) return {};
      return corrupt("{}: a page ends before its values", where());
    });
  }
  indices_.resize(values.size());
  TW_TRY(decode_indices(indices_, dictionary_.size()));
  look_up(dictionary_.data(), indices_, values.data());
  return {};
}

Status Int64ColumnReader::discard(size_t row_count) {
  std::vector<int64_t> values(row_count);
  std::vector<uint8_t> nulls(row_count);
  TW_ASSIGN([[maybe_unused]] const bool any_null, read(values, nulls));
  return {};
}

Result<bool> Int64ColumnReader::read(std::span<int64_t> values, std::span<uint8_t> nulls) {
  return read_rows(values, nulls, [&](std::span<int64_t> dense) { return decode_dense(dense); });
}

}  // namespace tapeworks
