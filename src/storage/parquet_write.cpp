#include "storage/parquet_write.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/array.h>
#include <arrow/array/concatenate.h>
#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>
#include <arrow/ipc/writer.h>
#include <arrow/table.h>
#include <arrow/util/base64.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/arrow/schema.h>
#include <parquet/column_page.h>
#include <parquet/column_writer.h>
#include <parquet/encoding.h>
#include <parquet/file_writer.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>
#include <parquet/statistics.h>
#include <zstd.h>

#include "base/hot_loop.h"
#include "storage/arrow_status_internal.h"
#include "storage/index_encoder.h"
#include "storage/value_interner.h"

namespace tapeworks {
namespace {

constexpr std::string_view kWhere = "encoding Parquet";
constexpr int kZstdLevel = 1;
/// Rows of one page: it stays in the cache between encoding and compressing.
constexpr int64_t kPageRows = 128 * 1024;
/// Texts of more distinct bytes than this are stored one by one.
constexpr size_t kDictionaryBytesMax = 1024 * 1024;
/// Larger minima and maxima are left out.
constexpr size_t kStatisticsBytesMax = 4096;
constexpr std::string_view kMagic = "PAR1";

static_assert(std::endian::native == std::endian::little, "Parquet numbers are little-endian");

using parquet::Encoding;

/// Bytes that grow and are kept for the next use.
class GrowingBuffer {
 public:
  explicit GrowingBuffer(arrow::MemoryPool* pool) : pool_(pool) {}

  size_t size() const { return size_; }
  uint8_t* data() { return buffer_ == nullptr ? nullptr : buffer_->mutable_data(); }
  void clear() { size_ = 0; }
  void set_size(size_t size) { size_ = size; }

  /// Room for `bytes` more behind the content; returns where they begin.
  arrow::Result<uint8_t*> room(size_t bytes) {
    const size_t needed = size_ + bytes;
    if (buffer_ == nullptr) {
      ARROW_ASSIGN_OR_RAISE(buffer_, arrow::AllocateResizableBuffer(0, pool_));
    }
    if (static_cast<size_t>(buffer_->capacity()) < needed) {
      const size_t capacity = std::max(needed, static_cast<size_t>(buffer_->capacity()) * 2);
      ARROW_RETURN_NOT_OK(buffer_->Reserve(static_cast<int64_t>(capacity)));
    }
    return data() + size_;
  }

  arrow::Status append(const void* bytes, size_t count) {
    ARROW_ASSIGN_OR_RAISE(uint8_t* const to, room(count));
    if (count != 0) std::memcpy(to, bytes, count);
    size_ += count;
    return arrow::Status::OK();
  }

  /// The content for the library; valid until the next change.
  std::shared_ptr<arrow::Buffer> view() {
    return std::make_shared<arrow::Buffer>(data(), static_cast<int64_t>(size_));
  }

 private:
  arrow::MemoryPool* pool_;
  std::unique_ptr<arrow::ResizableBuffer> buffer_;
  size_t size_ = 0;
};

/// Where the library writes headers and pages.
class FileSink final : public arrow::io::OutputStream {
 public:
  explicit FileSink(arrow::MemoryPool* pool) : content_(pool) {}

  GrowingBuffer& content() { return content_; }

  arrow::Status Write(const void* data, int64_t bytes) override {
    return content_.append(data, static_cast<size_t>(bytes));
  }
  using arrow::io::OutputStream::Write;
  arrow::Result<int64_t> Tell() const override { return static_cast<int64_t>(content_.size()); }
  arrow::Status Close() override { return arrow::Status::OK(); }
  bool closed() const override { return false; }

 private:
  GrowingBuffer content_;
};

/// What files of one schema share.
struct PreparedSchema {
  std::shared_ptr<arrow::Schema> arrow_schema;
  std::shared_ptr<parquet::SchemaDescriptor> parquet_schema;
  std::shared_ptr<parquet::WriterProperties> properties;
  std::string stored_schema;  // for readers that want the Arrow types back
};

std::shared_ptr<parquet::WriterProperties> writer_properties(arrow::MemoryPool* pool) {
  parquet::WriterProperties::Builder builder;
  builder.memory_pool(pool)
      ->version(parquet::ParquetVersion::PARQUET_2_6)
      ->data_page_version(parquet::ParquetDataPageVersion::V1)
      ->compression(arrow::Compression::ZSTD)
      ->compression_level(kZstdLevel);
  return builder.build();
}

arrow::Result<PreparedSchema> prepare(const std::shared_ptr<arrow::Schema>& schema,
                                      arrow::MemoryPool* pool) {
  PreparedSchema prepared;
  prepared.arrow_schema = schema;
  prepared.properties = writer_properties(pool);
  ARROW_RETURN_NOT_OK(parquet::arrow::ToParquetSchema(schema.get(), *prepared.properties,
                                                      &prepared.parquet_schema));
  ARROW_ASSIGN_OR_RAISE(const auto serialized, arrow::ipc::SerializeSchema(*schema, pool));
  prepared.stored_schema = arrow::util::base64_encode(std::string_view(*serialized));
  return prepared;
}

template <typename Value>
std::string bytes_of(Value value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

template <typename Value>
struct Range {
  Value least{};
  Value most{};
};

/// Of at least one value.
template <typename Integer>
inline Range<Integer> integer_range(std::span<const Integer> values) {
  Range<Integer> range{values[0], values[0]};
  for (const Integer value : values) {
    range.least = std::min(range.least, value);
    range.most = std::max(range.most, value);
  }
  return range;
}

TW_HOT_LOOP Range<int32_t> range_of(std::span<const int32_t> values) {
  return integer_range(values);
}
TW_HOT_LOOP Range<int64_t> range_of(std::span<const int64_t> values) {
  return integer_range(values);
}
TW_HOT_LOOP Range<uint32_t> range_of(std::span<const uint32_t> values) {
  return integer_range(values);
}

/// Floating-point numbers as integers of the same order: the bits of negative ones are turned over.
/// NaNs lie beyond the infinities.
template <typename Integer, typename Real>
inline Range<Integer> ordered_bits_range(std::span<const Real> values) {
  constexpr Integer kMagnitude = std::numeric_limits<Integer>::max();
  Range<Integer> range{kMagnitude, std::numeric_limits<Integer>::min()};
  for (const Real value : values) {
    const auto bits = std::bit_cast<Integer>(value);
    const Integer ordered = bits ^ ((bits >> (8 * sizeof bits - 1)) & kMagnitude);
    range.least = std::min(range.least, ordered);
    range.most = std::max(range.most, ordered);
  }
  return range;
}

TW_HOT_LOOP Range<int32_t> bits_range_of(std::span<const float> values) {
  return ordered_bits_range<int32_t>(values);
}
TW_HOT_LOOP Range<int64_t> bits_range_of(std::span<const double> values) {
  return ordered_bits_range<int64_t>(values);
}

/// NaN does not count; nothing when there is nothing else.
template <typename Real>
std::optional<Range<Real>> careful_range(std::span<const Real> values) {
  std::optional<Range<Real>> range;
  for (const Real value : values) {
    if (std::isnan(value)) continue;
    if (!range) range = Range<Real>{value, value};
    range->least = std::min(range->least, value);
    range->most = std::max(range->most, value);
  }
  return range;
}

template <typename Real>
std::optional<Range<Real>> range_of_reals(std::span<const Real> values) {
  const auto bits = bits_range_of(values);
  using Integer = decltype(bits.least);
  const auto real = [](Integer ordered) {
    constexpr Integer kMagnitude = std::numeric_limits<Integer>::max();
    return std::bit_cast<Real>(ordered ^ ((ordered >> (8 * sizeof ordered - 1)) & kMagnitude));
  };
  const Range<Real> range{real(bits.least), real(bits.most)};
  if (std::isnan(range.least) || std::isnan(range.most)) return careful_range(values);
  return range;
}

/// The minimum and maximum for the footer. As the format asks, a zero is -0 as a minimum and +0 as
/// a maximum.
template <typename Value>
void set_range(std::span<const Value> values, parquet::EncodedStatistics& statistics) {
  if (values.empty()) return;
  if constexpr (std::is_floating_point_v<Value>) {
    auto range = range_of_reals(values);
    if (!range) return;
    if (range->least == 0) range->least = -Value{0};
    if (range->most == 0) range->most = Value{0};
    statistics.set_min(bytes_of(range->least)).set_max(bytes_of(range->most));
  } else {
    const auto range = range_of(values);
    statistics.set_min(bytes_of(range.least)).set_max(bytes_of(range.most));
  }
}

/// All first bytes, then all second bytes, and so on. One pass a byte: with constant distances the
/// compiler makes each of them a few vector instructions.
template <typename Value>
inline void split_all_bytes(std::span<const Value> values, uint8_t* out) {
  using Bits = std::conditional_t<sizeof(Value) == 4, uint32_t, uint64_t>;
  const Value* const from = values.data();
  const size_t count = values.size();
  for (unsigned byte = 0; byte < sizeof(Value); ++byte, out += count) {
    for (size_t i = 0; i < count; ++i) {
      out[i] = static_cast<uint8_t>(std::bit_cast<Bits>(from[i]) >> (8 * byte));
    }
  }
}

TW_HOT_LOOP void split_bytes(std::span<const int32_t> values, uint8_t* out) {
  split_all_bytes(values, out);
}
TW_HOT_LOOP void split_bytes(std::span<const int64_t> values, uint8_t* out) {
  split_all_bytes(values, out);
}
TW_HOT_LOOP void split_bytes(std::span<const float> values, uint8_t* out) {
  split_all_bytes(values, out);
}
TW_HOT_LOOP void split_bytes(std::span<const double> values, uint8_t* out) {
  split_all_bytes(values, out);
}

/// Text columns as numbers of their distinct values, in the order of first appearance.
struct CodedTexts {
  std::vector<std::string_view> values;
  std::span<const int32_t> codes;  // one for every row that is not null
  std::vector<int32_t> own_codes;  // behind `codes`, unless they are those of the array
};

/// Whether the indices are numbers in the order of first appearance already, and how many.
std::optional<int32_t> count_in_order(std::span<const int32_t> indices) {
  int32_t count = 0;
  for (const int32_t index : indices) {
    if (index > count || index < 0) return std::nullopt;
    count += index == count ? 1 : 0;
  }
  return count;
}

}  // namespace

struct ParquetEncoder::State {
  explicit State(arrow::MemoryPool* memory_pool)
      : pool(memory_pool),
        sink(std::make_shared<FileSink>(memory_pool)),
        page(memory_pool),
        compressed(memory_pool),
        dense(memory_pool),
        zstd(ZSTD_createCCtx(), ZSTD_freeCCtx),
        int32_deltas(parquet::MakeTypedEncoder<parquet::Int32Type>(Encoding::DELTA_BINARY_PACKED,
                                                                   false, nullptr, memory_pool)),
        int64_deltas(parquet::MakeTypedEncoder<parquet::Int64Type>(Encoding::DELTA_BINARY_PACKED,
                                                                   false, nullptr, memory_pool)) {}

  /// One column chunk being written.
  struct Chunk {
    parquet::PageWriter& pages;
    const parquet::ColumnDescriptor& descriptor;
    parquet::EncodedStatistics statistics;
    int64_t byte_count = 0;
    bool has_dictionary = false;
  };

  arrow::Result<const PreparedSchema*> prepared(const std::shared_ptr<arrow::Schema>& schema);
  arrow::Status encode(const arrow::Table& table, const ParquetWriteOptions& options);
  arrow::Status write_row_group(const arrow::Table& rows, const PreparedSchema& schema,
                                int16_t ordinal, parquet::RowGroupMetaDataBuilder& row_group);
  arrow::Status write_chunk(const arrow::Array& array, Chunk& chunk);
  arrow::Status write_texts(const arrow::Array& array, Chunk& chunk);
  arrow::Status write_plain_texts(const arrow::Array& array, const CodedTexts& texts, Chunk& chunk);
  arrow::Status write_flags(const arrow::BooleanArray& array, Chunk& chunk);
  template <typename ArrowArray>
  arrow::Status write_numbers(const arrow::Array& array, Chunk& chunk);
  template <typename EncodeValues>
  arrow::Status write_pages(const arrow::Array& array, Encoding::type encoding, Chunk& chunk,
                            EncodeValues&& encode_values);
  arrow::Status write_levels(const arrow::Array& array, const Chunk& chunk);
  arrow::Status write_page(int64_t row_count, Encoding::type encoding, Chunk& chunk);
  template <typename Value>
  arrow::Result<std::span<const Value>> dense_values(const arrow::Array& array,
                                                     const Value* values);
  arrow::Status encode_values(std::span<const int32_t> values, Encoding::type encoding);
  arrow::Status encode_values(std::span<const int64_t> values, Encoding::type encoding);
  template <typename Value>
  arrow::Status split_values(std::span<const Value> values);
  template <typename Encoder, typename Value>
  arrow::Status delta_values(Encoder& encoder, std::span<const Value> values);

  arrow::MemoryPool* pool;
  std::shared_ptr<FileSink> sink;
  GrowingBuffer page;
  GrowingBuffer compressed;
  GrowingBuffer dense;
  std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> zstd;
  std::unique_ptr<parquet::TypedEncoder<parquet::Int32Type>> int32_deltas;
  std::unique_ptr<parquet::TypedEncoder<parquet::Int64Type>> int64_deltas;
  std::vector<std::unique_ptr<PreparedSchema>> schemas;
  std::vector<int32_t> levels;
};

namespace {

/// The rows of `array` that are not null before row `row`.
int64_t value_position(const arrow::Array& array, int64_t row) {
  if (array.null_count() == 0) return row;
  int64_t position = 0;
  for (int64_t i = 0; i < row; ++i) position += array.IsValid(i) ? 1 : 0;
  return position;
}

CodedTexts code_dictionary(const arrow::DictionaryArray& array) {
  CodedTexts texts;
  const auto& values = static_cast<const arrow::StringArray&>(*array.dictionary());
  const auto& indices = static_cast<const arrow::Int32Array&>(*array.indices());
  const std::span raw(indices.raw_values(), static_cast<size_t>(indices.length()));
  if (const auto count = array.null_count() == 0 ? count_in_order(raw) : std::nullopt) {
    for (int64_t i = 0; i < *count; ++i) texts.values.push_back(values.GetView(i));
    texts.codes = raw;
    return texts;
  }
  std::vector<int32_t> code_of(static_cast<size_t>(values.length()), -1);
  texts.own_codes.reserve(static_cast<size_t>(array.length()));
  for (int64_t row = 0; row < array.length(); ++row) {
    if (array.IsNull(row)) continue;
    const int64_t index = array.GetValueIndex(row);
    int32_t& code = code_of[static_cast<size_t>(index)];
    if (code < 0) {
      code = static_cast<int32_t>(texts.values.size());
      texts.values.push_back(values.GetView(index));
    }
    texts.own_codes.push_back(code);
  }
  texts.codes = texts.own_codes;
  return texts;
}

/// `interner` owns the values.
CodedTexts code_texts(const arrow::StringArray& array, ValueInterner& interner) {
  CodedTexts texts;
  texts.own_codes.reserve(static_cast<size_t>(array.length()));
  std::string_view last_text;
  for (int64_t row = 0; row < array.length(); ++row) {
    if (array.IsNull(row)) continue;
    const std::string_view text = array.GetView(row);
    // Columns are mostly sorted.
    const bool repeated = !texts.own_codes.empty() && text == last_text;
    texts.own_codes.push_back(repeated ? texts.own_codes.back()
                                       : static_cast<int32_t>(interner.intern(text)));
    last_text = text;
  }
  texts.values = interner.values();
  texts.codes = texts.own_codes;
  return texts;
}

size_t plain_bytes(const std::vector<std::string_view>& values) {
  size_t bytes = 0;
  for (const std::string_view value : values) bytes += sizeof(uint32_t) + value.size();
  return bytes;
}

arrow::Status append_plain(std::string_view text, GrowingBuffer& out) {
  const auto length = static_cast<uint32_t>(text.size());
  ARROW_RETURN_NOT_OK(out.append(&length, sizeof length));
  return out.append(text.data(), text.size());
}

}  // namespace

arrow::Result<const PreparedSchema*> ParquetEncoder::State::prepared(
    const std::shared_ptr<arrow::Schema>& schema) {
  for (const auto& known : schemas) {
    if (known->arrow_schema == schema) return known.get();
  }
  // Tables that do not share their schema must not fill the memory with them.
  constexpr size_t kSchemasMax = 16;
  if (schemas.size() == kSchemasMax) schemas.erase(schemas.begin());
  ARROW_ASSIGN_OR_RAISE(PreparedSchema made, prepare(schema, pool));
  schemas.push_back(std::make_unique<PreparedSchema>(std::move(made)));
  return schemas.back().get();
}

arrow::Status ParquetEncoder::State::encode(const arrow::Table& table,
                                            const ParquetWriteOptions& options) {
  ARROW_ASSIGN_OR_RAISE(const PreparedSchema* const schema, prepared(table.schema()));
  GrowingBuffer& file = sink->content();
  file.clear();
  ARROW_RETURN_NOT_OK(file.append(kMagic.data(), kMagic.size()));
  const auto metadata =
      parquet::FileMetaDataBuilder::Make(schema->parquet_schema.get(), schema->properties);
  int16_t ordinal = 0;
  for (int64_t row = 0; row < table.num_rows() || ordinal == 0; row += options.row_group_rows_max) {
    const auto rows = table.Slice(row, options.row_group_rows_max);
    if (rows->num_rows() == 0) break;
    ARROW_RETURN_NOT_OK(write_row_group(*rows, *schema, ordinal++, *metadata->AppendRowGroup()));
  }
  const auto key_values = std::make_shared<arrow::KeyValueMetadata>();
  key_values->Append("ARROW:schema", schema->stored_schema);
  for (const auto& [key, value] : options.metadata) key_values->Append(key, value);
  parquet::WriteFileMetaData(*metadata->Finish(key_values), sink.get());
  return arrow::Status::OK();
}

arrow::Status ParquetEncoder::State::write_row_group(const arrow::Table& rows,
                                                     const PreparedSchema& schema, int16_t ordinal,
                                                     parquet::RowGroupMetaDataBuilder& row_group) {
  row_group.set_num_rows(rows.num_rows());
  int64_t byte_count = 0;
  for (int column = 0; column < rows.num_columns(); ++column) {
    const auto& chunks = rows.column(column)->chunks();
    std::shared_ptr<arrow::Array> array;
    if (chunks.size() == 1) {
      array = chunks[0];
    } else {
      ARROW_ASSIGN_OR_RAISE(array, arrow::Concatenate(chunks, pool));
    }
    auto* const chunk_metadata = row_group.NextColumnChunk();
    const auto pages = parquet::PageWriter::Open(
        sink, arrow::Compression::ZSTD, chunk_metadata, ordinal, static_cast<int16_t>(column), pool,
        false, nullptr, nullptr, false, nullptr, nullptr, arrow::util::CodecOptions(kZstdLevel));
    const auto& descriptor = *schema.parquet_schema->Column(column);
    Chunk chunk{*pages, descriptor, {}};
    ARROW_RETURN_NOT_OK(write_chunk(*array, chunk));
    chunk.statistics.set_null_count(array->null_count());
    chunk.statistics.set_is_signed(descriptor.sort_order() == parquet::SortOrder::SIGNED);
    chunk.statistics.ApplyStatSizeLimits(kStatisticsBytesMax);
    chunk_metadata->SetStatistics(chunk.statistics);
    pages->Close(chunk.has_dictionary, false);
    byte_count += chunk.byte_count;
  }
  row_group.Finish(byte_count, ordinal);
  return arrow::Status::OK();
}

arrow::Status ParquetEncoder::State::write_chunk(const arrow::Array& array, Chunk& chunk) {
  switch (array.type_id()) {
    case arrow::Type::DICTIONARY:
    case arrow::Type::STRING:
      return write_texts(array, chunk);
    case arrow::Type::DATE32:
      return write_numbers<arrow::Date32Array>(array, chunk);
    case arrow::Type::INT32:
      return write_numbers<arrow::Int32Array>(array, chunk);
    case arrow::Type::UINT32:
      return write_numbers<arrow::UInt32Array>(array, chunk);
    case arrow::Type::INT64:
      return write_numbers<arrow::Int64Array>(array, chunk);
    case arrow::Type::FLOAT:
      return write_numbers<arrow::FloatArray>(array, chunk);
    case arrow::Type::DOUBLE:
      return write_numbers<arrow::DoubleArray>(array, chunk);
    case arrow::Type::BOOL:
      return write_flags(static_cast<const arrow::BooleanArray&>(array), chunk);
    default:
      return arrow::Status::NotImplemented("no table of ours has columns of the type ",
                                           array.type()->ToString());
  }
}

template <typename EncodeValues>
arrow::Status ParquetEncoder::State::write_pages(const arrow::Array& array, Encoding::type encoding,
                                                 Chunk& chunk, EncodeValues&& encode_page) {
  for (int64_t row = 0; row < array.length(); row += kPageRows) {
    const auto rows = array.Slice(row, kPageRows);
    page.clear();
    ARROW_RETURN_NOT_OK(write_levels(*rows, chunk));
    const auto begin = static_cast<size_t>(value_position(array, row));
    const auto count = static_cast<size_t>(rows->length() - rows->null_count());
    ARROW_RETURN_NOT_OK(encode_page(begin, count));
    ARROW_RETURN_NOT_OK(write_page(rows->length(), encoding, chunk));
  }
  return arrow::Status::OK();
}

/// Which rows are not null, as the format has it in front of the values.
arrow::Status ParquetEncoder::State::write_levels(const arrow::Array& array, const Chunk& chunk) {
  if (chunk.descriptor.max_definition_level() == 0) return arrow::Status::OK();
  levels.assign(static_cast<size_t>(array.length()), 1);
  if (array.null_count() != 0) {
    for (int64_t row = 0; row < array.length(); ++row) {
      if (array.IsNull(row)) levels[static_cast<size_t>(row)] = 0;
    }
  }
  ARROW_ASSIGN_OR_RAISE(uint8_t* const out,
                        page.room(sizeof(uint32_t) + encoded_indices_bytes_max(levels.size(), 1)));
  const uint8_t* const end = encode_indices(levels, 1, out + sizeof(uint32_t));
  const auto byte_count = static_cast<uint32_t>(end - out - sizeof(uint32_t));
  std::memcpy(out, &byte_count, sizeof byte_count);
  page.set_size(page.size() + sizeof byte_count + byte_count);
  return arrow::Status::OK();
}

arrow::Status ParquetEncoder::State::write_page(int64_t row_count, Encoding::type encoding,
                                                Chunk& chunk) {
  compressed.clear();
  const size_t bound = ZSTD_compressBound(page.size());
  ARROW_ASSIGN_OR_RAISE(uint8_t* const out, compressed.room(bound));
  const size_t byte_count =
      ZSTD_compressCCtx(zstd.get(), out, bound, page.data(), page.size(), kZstdLevel);
  if (ZSTD_isError(byte_count) != 0) {
    return arrow::Status::UnknownError(ZSTD_getErrorName(byte_count));
  }
  compressed.set_size(byte_count);
  const parquet::DataPageV1 data_page(compressed.view(), static_cast<int32_t>(row_count), encoding,
                                      Encoding::RLE, Encoding::RLE,
                                      static_cast<int64_t>(page.size()));
  chunk.byte_count += chunk.pages.WriteDataPage(data_page);
  return arrow::Status::OK();
}

/// The values of the rows that are not null, one behind the other.
template <typename Value>
arrow::Result<std::span<const Value>> ParquetEncoder::State::dense_values(const arrow::Array& array,
                                                                          const Value* values) {
  const auto length = static_cast<size_t>(array.length());
  if (array.null_count() == 0) return std::span<const Value>(values, length);
  dense.clear();
  ARROW_ASSIGN_OR_RAISE(uint8_t* const room, dense.room(length * sizeof(Value)));
  auto* const out = reinterpret_cast<Value*>(room);
  size_t count = 0;
  for (size_t row = 0; row < length; ++row) {
    if (array.IsValid(static_cast<int64_t>(row))) out[count++] = values[row];
  }
  return std::span<const Value>(out, count);
}

template <typename Value>
arrow::Status ParquetEncoder::State::split_values(std::span<const Value> values) {
  ARROW_ASSIGN_OR_RAISE(uint8_t* const out, page.room(values.size_bytes()));
  split_bytes(values, out);
  page.set_size(page.size() + values.size_bytes());
  return arrow::Status::OK();
}

template <typename Encoder, typename Value>
arrow::Status ParquetEncoder::State::delta_values(Encoder& encoder, std::span<const Value> values) {
  encoder.Put(values.data(), static_cast<int>(values.size()));
  const auto bytes = encoder.FlushValues();
  return page.append(bytes->data(), static_cast<size_t>(bytes->size()));
}

arrow::Status ParquetEncoder::State::encode_values(std::span<const int32_t> values,
                                                   Encoding::type encoding) {
  if (encoding == Encoding::BYTE_STREAM_SPLIT) return split_values(values);
  return delta_values(*int32_deltas, values);
}

arrow::Status ParquetEncoder::State::encode_values(std::span<const int64_t> values,
                                                   Encoding::type encoding) {
  if (encoding == Encoding::BYTE_STREAM_SPLIT) return split_values(values);
  return delta_values(*int64_deltas, values);
}

template <typename ArrowArray>
arrow::Status ParquetEncoder::State::write_numbers(const arrow::Array& array, Chunk& chunk) {
  const auto type = array.type_id();
  const bool by_delta =
      type == arrow::Type::DATE32 || type == arrow::Type::UINT32 || type == arrow::Type::INT64;
  const auto encoding = by_delta ? Encoding::DELTA_BINARY_PACKED : Encoding::BYTE_STREAM_SPLIT;
  const auto* const raw = static_cast<const ArrowArray&>(array).raw_values();
  ARROW_ASSIGN_OR_RAISE(const auto values, dense_values(array, raw));
  set_range(values, chunk.statistics);
  return write_pages(array, encoding, chunk, [&](size_t begin, size_t count) {
    const auto part = values.subspan(begin, count);
    if constexpr (std::is_same_v<ArrowArray, arrow::UInt32Array>) {
      return encode_values(std::span(reinterpret_cast<const int32_t*>(part.data()), part.size()),
                           encoding);
    } else if constexpr (std::is_floating_point_v<std::remove_cvref_t<decltype(part[0])>>) {
      return split_values(part);
    } else {
      return encode_values(part, encoding);
    }
  });
}

arrow::Status ParquetEncoder::State::write_flags(const arrow::BooleanArray& array, Chunk& chunk) {
  std::vector<uint8_t> flags;
  for (int64_t row = 0; row < array.length(); ++row) {
    if (array.IsValid(row)) flags.push_back(array.Value(row) ? 1 : 0);
  }
  if (!flags.empty()) {
    const auto [least, most] = std::ranges::minmax(flags);
    chunk.statistics.set_min(bytes_of(least)).set_max(bytes_of(most));
  }
  return write_pages(array, Encoding::PLAIN, chunk, [&](size_t begin, size_t count) {
    std::vector<uint8_t> bits((count + 7) / 8);
    for (size_t i = 0; i < count; ++i) {
      bits[i / 8] = static_cast<uint8_t>(bits[i / 8] | flags[begin + i] << (i % 8));
    }
    return page.append(bits.data(), bits.size());
  });
}

arrow::Status ParquetEncoder::State::write_texts(const arrow::Array& array, Chunk& chunk) {
  ValueInterner interner;
  const CodedTexts texts =
      array.type_id() == arrow::Type::DICTIONARY
          ? code_dictionary(static_cast<const arrow::DictionaryArray&>(array))
          : code_texts(static_cast<const arrow::StringArray&>(array), interner);
  if (!texts.values.empty()) {
    const auto [least, most] = std::ranges::minmax(texts.values);
    chunk.statistics.set_min(std::string(least)).set_max(std::string(most));
  }
  if (plain_bytes(texts.values) > kDictionaryBytesMax) {
    return write_plain_texts(array, texts, chunk);
  }
  page.clear();
  for (const std::string_view value : texts.values) {
    ARROW_RETURN_NOT_OK(append_plain(value, page));
  }
  chunk.has_dictionary = true;
  chunk.byte_count += chunk.pages.WriteDictionaryPage(parquet::DictionaryPage(
      page.view(), static_cast<int32_t>(texts.values.size()), Encoding::PLAIN));
  // Some readers do not know indices of no bits.
  const int bit_width = std::max(
      1, static_cast<int>(std::bit_width(texts.values.size() - (texts.values.empty() ? 0U : 1U))));
  return write_pages(array, Encoding::RLE_DICTIONARY, chunk, [&](size_t begin, size_t count) {
    const auto width = static_cast<uint8_t>(bit_width);
    ARROW_RETURN_NOT_OK(page.append(&width, 1));
    ARROW_ASSIGN_OR_RAISE(uint8_t* const out,
                          page.room(encoded_indices_bytes_max(count, bit_width)));
    const uint8_t* const end = encode_indices(texts.codes.subspan(begin, count), bit_width, out);
    page.set_size(page.size() + static_cast<size_t>(end - out));
    return arrow::Status::OK();
  });
}

arrow::Status ParquetEncoder::State::write_plain_texts(const arrow::Array& array,
                                                       const CodedTexts& texts, Chunk& chunk) {
  return write_pages(array, Encoding::PLAIN, chunk, [&](size_t begin, size_t count) {
    for (const int32_t code : texts.codes.subspan(begin, count)) {
      ARROW_RETURN_NOT_OK(append_plain(texts.values[static_cast<size_t>(code)], page));
    }
    return arrow::Status::OK();
  });
}

ParquetEncoder::ParquetEncoder(arrow::MemoryPool* pool) : state_(std::make_unique<State>(pool)) {}

ParquetEncoder::~ParquetEncoder() = default;

Result<std::span<const std::byte>> ParquetEncoder::encode(const arrow::Table& table,
                                                          const ParquetWriteOptions& options) {
  return catch_parquet(kWhere, [&]() -> Result<std::span<const std::byte>> {
    TW_TRY(from_arrow(state_->encode(table, options), kWhere));
    GrowingBuffer& file = state_->sink->content();
    return std::as_bytes(std::span(file.data(), file.size()));
  });
}

Result<std::shared_ptr<arrow::Buffer>> encode_parquet(const arrow::Table& table,
                                                      const ParquetWriteOptions& options,
                                                      arrow::MemoryPool* pool) {
  ParquetEncoder encoder(pool);
  TW_ASSIGN(const auto bytes, encoder.encode(table, options));
  return from_arrow(
      arrow::AllocateBuffer(static_cast<int64_t>(bytes.size()), pool).Map([&](auto buffer) {
        std::memcpy(buffer->mutable_data(), bytes.data(), bytes.size());
        return std::shared_ptr<arrow::Buffer>(std::move(buffer));
      }),
      kWhere);
}

}  // namespace tapeworks
