#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/type_fwd.h>
#include <parquet/encoding.h>
#include <parquet/types.h>

#include "base/result.h"
#include "storage/index_decoder.h"
#include "storage/parquet_input.h"
#include "storage/value_interner.h"

namespace tapeworks {

/// Walks over the data pages of one column chunk. The base of the readers below.
///
/// Sizes that the file claims are checked before they are used: a page may not be larger than its
/// chunk, an index not beyond its dictionary, a run not beyond its page.
class ColumnChunkReader {
 public:
  ColumnChunkReader(const ColumnChunkReader&) = delete;
  ColumnChunkReader& operator=(const ColumnChunkReader&) = delete;
  virtual ~ColumnChunkReader();

  /// Passes over the first rows of the chunk, mostly without decompressing them: only before the
  /// first read. kCorrupt when the chunk has not that many.
  Status skip(int64_t row_count);

  /// kCorrupt when the chunk holds more values than the rows that were read.
  Status expect_end();

 protected:
  ColumnChunkReader(RowGroupInput& row_group, int column);

  /// The rows of the current page from its cursor on, at most `row_count` of them.
  struct PageSlice {
    size_t row_count = 0;
    size_t value_count = 0;  ///< rows that are not null
    /// Per row whether it has a value; empty when all have.
    std::span<const int32_t> levels;
  };
  /// Moves the cursor; loads the next page when the current one is used up.
  Result<PageSlice> next_slice(size_t row_count);
  bool page_is_dictionary_encoded() const { return dictionary_encoded_; }
  /// Fills `values`, one a row, with what `decode_dense` gives for the rows that are not null and
  /// Value{} for the others, and `nulls` with 1 where null. Returns whether any row was null; when
  /// not, `nulls` is not touched.
  template <typename Value, typename DecodeDense>
  Result<bool> read_rows(std::span<Value> values, std::span<uint8_t> nulls,
                         DecodeDense&& decode_dense);
  /// The next indices of a dictionary-encoded page, each below `dictionary_size`.
  Status decode_indices(std::span<int32_t> indices, size_t dictionary_size);
  /// What the chunk's tables take is asked for here; null where nobody is to be asked.
  MemoryBudget* budget() const { return row_group_.file().budget(); }
  /// Where a failure happened: file, row group and column.
  std::string where() const { return place_of(row_group_, column_); }
  static std::string place_of(const RowGroupInput& row_group, int column);

  const parquet::ColumnDescriptor& descriptor_;

  /// Calls from load_page(): the chunk's dictionary, at most once, and then each other page's
  /// values.
  virtual Status set_dictionary(std::span<const uint8_t> values, int32_t value_count) = 0;
  virtual Status set_values(std::span<const uint8_t> values, int32_t value_count,
                            parquet::Encoding::type encoding) = 0;
  /// Reads that many rows for nothing.
  virtual Status discard(size_t row_count) = 0;

 private:
  /// load_page() with what it throws as an Error.
  Status provide_page();
  Status load_page();
  std::unexpected<Error> ends_early() const;
  Status start_data_page(std::span<const uint8_t> levels, std::span<const uint8_t> values,
                         int32_t value_count, parquet::Encoding::type encoding,
                         parquet::Encoding::type level_encoding);
  Status read_levels(std::span<const uint8_t> encoded, int32_t value_count,
                     parquet::Encoding::type level_encoding);

  RowGroupInput& row_group_;
  int column_;
  ColumnPages pages_;
  std::shared_ptr<arrow::Buffer> dictionary_bytes_;
  std::shared_ptr<parquet::Page> page_;  // null behind the last one
  std::vector<int32_t> page_levels_;     // empty when no row of the page is null
  int64_t skippable_rows_ = 0;
  size_t page_rows_ = 0;
  size_t page_cursor_ = 0;
  bool dictionary_encoded_ = false;
  bool pages_seen_ = false;
  IndexDecoder index_decoder_;
};

/// How values of pages without a dictionary get their codes.
enum class PlainCodes : uint8_t {
  kByValue,  ///< equal values have the same code: each is looked up, and copied when it is new
  kByRow,    ///< a code for each row, good until the next read(); texts are looked up all the same
};

/// Reads a column of any plain type as codes: small integers that stand for values. With
/// dictionary pages these are the stored indices. Code -1 stands for null.
class CodedColumnReader : public ColumnChunkReader {
 public:
  static Result<std::unique_ptr<CodedColumnReader>> open(
      RowGroupInput& row_group, int column, PlainCodes plain_codes = PlainCodes::kByValue);
  ~CodedColumnReader() override;

  /// Fills `codes`, one a row. kCorrupt when the chunk ends before.
  Status read(std::span<int32_t> codes);

  /// The value of each code seen so far: the bytes of a text, or the little-endian bytes of a
  /// number. Grows with read(); views of lasting ones stay valid as long as this object. Its memory
  /// is reserved from the input's budget.
  const std::vector<std::string_view>& values() const { return values_; }
  /// As many of values() stay what they are; each read() replaces those behind them.
  size_t lasting_value_count() const {
    return plain_codes_ == PlainCodes::kByRow ? dictionary_size_ : values_.size();
  }

 private:
  CodedColumnReader(RowGroupInput& row_group, int column, PlainCodes plain_codes);
  Status set_dictionary(std::span<const uint8_t> bytes, int32_t value_count) override;
  Status set_values(std::span<const uint8_t> bytes, int32_t value_count,
                    parquet::Encoding::type encoding) override;
  Status discard(size_t row_count) override;
  Status read_plain(std::span<int32_t> codes);
  /// These two return false when the page ends too early.
  bool intern_values(std::span<int32_t> codes);
  bool keep_rows(std::span<int32_t> codes);
  Status reserve_values();

  class PlainValues;
  std::unique_ptr<PlainValues> plain_;
  size_t value_bytes_;  // 0 for texts
  PlainCodes plain_codes_;
  std::vector<std::string_view> values_;
  size_t dictionary_size_ = 0;
  ValueInterner interner_;
  std::vector<std::vector<char>> row_values_;  // with kByRow: those of the last read(), a page each
  Reservation values_memory_;                  // of interner_, values_ and row_values_
};

template <typename Value, typename DecodeDense>
Result<bool> ColumnChunkReader::read_rows(std::span<Value> values, std::span<uint8_t> nulls,
                                          DecodeDense&& decode_dense) {
  bool any_null = false;
  const std::span<uint8_t> all_nulls = nulls;
  while (!values.empty()) {
    TW_ASSIGN(const PageSlice slice, next_slice(values.size()));
    TW_TRY(decode_dense(values.first(slice.value_count)));
    if (!slice.levels.empty()) {
      if (!any_null) std::ranges::fill(all_nulls, uint8_t{0});
      any_null = true;
      size_t value = slice.value_count;
      for (size_t row = slice.row_count; row-- > 0;) {
        const bool present = slice.levels[row] == 1;
        values[row] = present ? values[--value] : Value{};
        nulls[row] = present ? 0 : 1;
      }
    }
    values = values.subspan(slice.row_count);
    nulls = nulls.subspan(slice.row_count);
  }
  return any_null;
}

/// Reads a column of numbers of one physical type (Int32Type, FloatType, DoubleType of the
/// library) as they are.
template <typename DType>
class NumberColumnReader : public ColumnChunkReader {
 public:
  using Value = typename DType::c_type;

  /// kCorrupt for a column of another type.
  static Result<std::unique_ptr<NumberColumnReader>> open(RowGroupInput& row_group, int column);
  ~NumberColumnReader() override;

  /// As Int64ColumnReader::read().
  Result<bool> read(std::span<Value> values, std::span<uint8_t> nulls);

 private:
  NumberColumnReader(RowGroupInput& row_group, int column);
  Status set_dictionary(std::span<const uint8_t> bytes, int32_t value_count) override;
  Status set_values(std::span<const uint8_t> bytes, int32_t value_count,
                    parquet::Encoding::type encoding) override;
  Status discard(size_t row_count) override;

  std::unique_ptr<typename parquet::EncodingTraits<DType>::Decoder> decoder_;
  std::vector<Value> dictionary_;
  std::vector<int32_t> indices_;
};

extern template class NumberColumnReader<parquet::Int32Type>;
extern template class NumberColumnReader<parquet::FloatType>;
extern template class NumberColumnReader<parquet::DoubleType>;

/// Reads an INT32 or INT64 column as 64-bit integers.
class Int64ColumnReader : public ColumnChunkReader {
 public:
  static Result<std::unique_ptr<Int64ColumnReader>> open(RowGroupInput& row_group, int column);
  ~Int64ColumnReader() override;

  /// Fills `values`, one a row, 0 where null, and `nulls` with 1 where null. Returns whether any
  /// row was null; when not, `nulls` is not touched.
  Result<bool> read(std::span<int64_t> values, std::span<uint8_t> nulls);

 private:
  Int64ColumnReader(RowGroupInput& row_group, int column);
  Status set_dictionary(std::span<const uint8_t> bytes, int32_t value_count) override;
  Status set_values(std::span<const uint8_t> bytes, int32_t value_count,
                    parquet::Encoding::type encoding) override;
  Status discard(size_t row_count) override;
  Status decode_dense(std::span<int64_t> values);

  class PlainValues;
  std::unique_ptr<PlainValues> plain_;
  std::vector<int64_t> dictionary_;
  std::vector<int32_t> indices_;
  bool is_unsigned_ = false;
};

}  // namespace tapeworks
