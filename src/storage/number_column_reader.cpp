#include "storage/arrow_status_internal.h"
#include "storage/column_reader.h"
#include "storage/plain_values_internal.h"

namespace tapeworks {

template <typename DType>
NumberColumnReader<DType>::NumberColumnReader(RowGroupInput& row_group, int column)
    : ColumnChunkReader(row_group, column) {}

template <typename DType>
NumberColumnReader<DType>::~NumberColumnReader() = default;

template <typename DType>
Result<std::unique_ptr<NumberColumnReader<DType>>> NumberColumnReader<DType>::open(
    RowGroupInput& row_group, int column) {
  const std::string where = place_of(row_group, column);
  if (row_group.file().column(column).physical_type() != DType::type_num) {
    return corrupt("{}: values of the type {} are needed", where,
                   parquet::TypeToString(DType::type_num));
  }
  return catch_parquet(where, [&]() -> Result<std::unique_ptr<NumberColumnReader>> {
    return std::unique_ptr<NumberColumnReader>(new NumberColumnReader(row_group, column));
  });
}

template <typename DType>
Status NumberColumnReader<DType>::set_dictionary(std::span<const uint8_t> bytes,
                                                 int32_t value_count) {
  const auto count = static_cast<size_t>(value_count);
  if (count > bytes.size() / sizeof(Value)) {
    return corrupt("{}: a dictionary ends before its {} values", where(), value_count);
  }
  dictionary_.resize(count);
  make_page_decoder<DType>(descriptor_, bytes, value_count, parquet::Encoding::PLAIN)
      ->Decode(dictionary_.data(), value_count);
  return {};
}

template <typename DType>
Status NumberColumnReader<DType>::set_values(std::span<const uint8_t> bytes, int32_t value_count,
                                             parquet::Encoding::type encoding) {
  decoder_ = make_page_decoder<DType>(descriptor_, bytes, value_count, encoding);
  return {};
}

template <typename DType>
Status NumberColumnReader<DType>::discard(size_t row_count) {
  std::vector<Value> values(row_count);
  std::vector<uint8_t> nulls(row_count);
  TW_ASSIGN([[maybe_unused]] const bool any_null, read(values, nulls));
  return {};
}

template <typename DType>
Result<bool> NumberColumnReader<DType>::read(std::span<Value> values, std::span<uint8_t> nulls) {
  return read_rows(values, nulls, [&](std::span<Value> dense) -> Status {
    if (page_is_dictionary_encoded()) {
      indices_.resize(dense.size());
      TW_TRY(decode_indices(indices_, dictionary_.size()));
      std::ranges::transform(indices_, dense.begin(),
                             [&](int32_t i) { return dictionary_[static_cast<size_t>(i)]; });
      return {};
    }
    return catch_parquet(where(), [&]() -> Status {
      const int count = static_cast<int>(dense.size());
      if (decoder_->Decode(dense.data(), count) == count) return {};
      return corrupt("{}: a page ends before its values", where());
    });
  });
}

template class NumberColumnReader<parquet::Int32Type>;
template class NumberColumnReader<parquet::FloatType>;
template class NumberColumnReader<parquet::DoubleType>;

}  // namespace tapeworks
