#include "storage/chunk_encoder.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <arrow/array.h>
#include <parquet/schema.h>

#include "base/hot_loop.h"
#include "storage/delta_encoder.h"
#include "storage/index_encoder.h"
#include "storage/page_header_internal.h"
#include "storage/value_interner.h"
#include "storage/value_range.h"

namespace tapeworks {

using parquet::Encoding;
using parquet::PageType;

/// Text columns as numbers of their distinct values, in the order of first appearance: the order of
/// a dictionary in memory may be chance.
struct CodedTexts {
  std::vector<std::string_view> values;
  std::span<const int32_t> codes;  // one for every row that is not null
  std::vector<int32_t> own_codes;  // behind `codes`, unless they are those of the array
};

namespace {

/// Rows of one page: it stays in the cache between encoding and compressing.
constexpr int64_t kPageRows = int64_t{128} * 1024;
/// Texts of more distinct bytes than this are stored one by one.
constexpr size_t kDictionaryBytesMax = size_t{1024} * 1024;
/// Larger minima and maxima are left out.
constexpr size_t kStatisticsBytesMax = 4096;

static_assert(std::endian::native == std::endian::little, "Parquet numbers are little-endian");

template <typename Value>
std::string bytes_of(Value value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

/// The minimum and maximum for the footer. As the format asks, a zero is -0 as a minimum and +0 as
/// a maximum.
template <typename Value>
void set_range(std::span<const Value> values, parquet::EncodedStatistics& statistics) {
  auto range = range_of(values);
  if (!range) return;
  if constexpr (std::is_floating_point_v<Value>) {
    if (range->least == 0) range->least = -Value{0};
    if (range->most == 0) range->most = Value{0};
  }
  statistics.set_min(bytes_of(range->least)).set_max(bytes_of(range->most));
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

/// Whether the indices are numbers in the order of first appearance already, and how many.
std::optional<int32_t> count_in_order(std::span<const int32_t> indices) {
  int32_t count = 0;
  for (const int32_t index : indices) {
    if (index > count || index < 0) return std::nullopt;
    count += index == count ? 1 : 0;
  }
  return count;
}

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
    texts.values.reserve(static_cast<size_t>(*count));
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

std::vector<int32_t> codes_of(const arrow::BinaryArray& array, ValueInterner& interner) {
  std::vector<int32_t> codes;
  codes.reserve(static_cast<size_t>(array.length()));
  std::string_view last_text;
  for (int64_t row = 0; row < array.length(); ++row) {
    if (array.IsNull(row)) continue;
    const std::string_view text = array.GetView(row);
    // Columns are mostly sorted.
    const bool repeated = !codes.empty() && text == last_text;
    codes.push_back(repeated ? codes.back() : static_cast<int32_t>(interner.intern(text)));
    last_text = text;
  }
  return codes;
}

/// `interner` owns the values.
CodedTexts code_texts(const arrow::BinaryArray& array, ValueInterner& interner) {
  CodedTexts texts;
  texts.own_codes = codes_of(array, interner);
  texts.values = interner.values();
  texts.codes = texts.own_codes;
  return texts;
}

/// Each row its own code, for texts that are stored one by one.
CodedTexts texts_one_by_one(const arrow::BinaryArray& array) {
  CodedTexts texts;
  texts.own_codes.reserve(static_cast<size_t>(array.length()));
  texts.values.reserve(static_cast<size_t>(array.length()));
  for (int64_t row = 0; row < array.length(); ++row) {
    if (array.IsNull(row)) continue;
    texts.own_codes.push_back(static_cast<int32_t>(texts.values.size()));
    texts.values.push_back(array.GetView(row));
  }
  texts.codes = texts.own_codes;
  return texts;
}

void set_range(std::span<const std::string_view> texts, parquet::EncodedStatistics& statistics) {
  if (texts.empty()) return;
  const auto [least, most] = std::ranges::minmax(texts);
  // So much tells that they are too long.
  const auto kept = [](std::string_view text) {
    return std::string(text.substr(0, kStatisticsBytesMax + 1));
  };
  statistics.set_min(kept(least)).set_max(kept(most));
}

template <typename Value>
bool is_less(const std::string& one, const std::string& other) {
  Value values[2];
  std::memcpy(&values[0], one.data(), sizeof(Value));
  std::memcpy(&values[1], other.data(), sizeof(Value));
  return values[0] < values[1];
}

/// By the type that minima and maxima have in the footer.
bool is_less(arrow::Type::type type, const std::string& one, const std::string& other) {
  switch (type) {
    case arrow::Type::DATE32:
    case arrow::Type::INT32:
      return is_less<int32_t>(one, other);
    case arrow::Type::UINT32:
      return is_less<uint32_t>(one, other);
    case arrow::Type::TIMESTAMP:
    case arrow::Type::INT64:
      return is_less<int64_t>(one, other);
    case arrow::Type::UINT64:
      return is_less<uint64_t>(one, other);
    case arrow::Type::FLOAT:
      return is_less<float>(one, other);
    case arrow::Type::DOUBLE:
      return is_less<double>(one, other);
    default:
      return one < other;  // flags and texts
  }
}

void widen_range(const parquet::EncodedStatistics& by, arrow::Type::type type,
                 parquet::EncodedStatistics& statistics) {
  if (!by.has_min) return;
  if (!statistics.has_min || is_less(type, by.min(), statistics.min())) {
    statistics.set_min(by.min());
  }
  if (!statistics.has_max || is_less(type, statistics.max(), by.max())) {
    statistics.set_max(by.max());
  }
}

void finish_statistics(const parquet::ColumnDescriptor& descriptor, int64_t null_count,
                       parquet::EncodedStatistics& statistics) {
  statistics.set_null_count(null_count);
  statistics.set_is_signed(descriptor.sort_order() == parquet::SortOrder::SIGNED);
  statistics.ApplyStatSizeLimits(kStatisticsBytesMax);
}

void add_page(const ChunkInfo& page, ChunkInfo& chunk) {
  if (chunk.data_page_count == 0) chunk.encoding = page.encoding;
  (page.encoding == chunk.encoding ? chunk.data_page_count : chunk.plain_page_count) +=
      page.data_page_count;
  chunk.byte_count += page.byte_count;
  chunk.uncompressed_bytes += page.uncompressed_bytes;
}

size_t plain_bytes(std::span<const std::string_view> values) {
  size_t bytes = 0;
  for (const std::string_view value : values) bytes += sizeof(uint32_t) + value.size();
  return bytes;
}

/// How zstd looks for repeats; 0 is what the level says.
struct RepeatSearch {
  int match_bytes_min = 0;
  int hash_table_log2 = 0;
};

/// Of noise only the upper bytes are worth anything, to Huffman's codes; a table of 64 positions
/// finds next to nothing, and fast. Measured in docs/decisions/0005.
constexpr RepeatSearch search_of(PageCompression compression) {
  if (compression == PageCompression::kLevel1) return {};
  return {.match_bytes_min = 7, .hash_table_log2 = 6};
}

arrow::Status check_zstd(size_t outcome) {
  if (ZSTD_isError(outcome) == 0) return arrow::Status::OK();
  return arrow::Status::UnknownError(ZSTD_getErrorName(outcome));
}

arrow::Status append_plain(std::string_view text, GrowingBuffer& out) {
  const auto length = static_cast<uint32_t>(text.size());
  ARROW_RETURN_NOT_OK(out.append(&length, sizeof length));
  return out.append(text.data(), text.size());
}

}  // namespace

ChunkEncoder::ChunkEncoder(arrow::MemoryPool* pool, Options options)
    : options_(options),
      page_(pool),
      compressed_(pool),
      dense_(pool),
      zstd_(ZSTD_createCCtx(), ZSTD_freeCCtx) {}

arrow::Result<ChunkInfo> ChunkEncoder::encode(const arrow::Array& array,
                                              const parquet::ColumnDescriptor& descriptor,
                                              GrowingBuffer& out) {
  Chunk chunk{descriptor, out, {}};
  chunk.info.value_count = array.length();
  ARROW_RETURN_NOT_OK(write_chunk(array, chunk));
  finish_statistics(descriptor, array.null_count(), chunk.info.statistics);
  return std::move(chunk.info);
}

arrow::Status ChunkEncoder::append_page(const arrow::Array& array,
                                        const parquet::ColumnDescriptor& descriptor,
                                        PagedChunk& chunk) {
  Chunk page{descriptor, chunk.pages_, {}};
  const auto type = array.type_id();
  if (type == arrow::Type::DICTIONARY) {
    return arrow::Status::NotImplemented("pages of a row group are of texts, not of their indices");
  }
  if (type == arrow::Type::STRING || type == arrow::Type::BINARY) {
    ARROW_RETURN_NOT_OK(
        write_text_page(static_cast<const arrow::BinaryArray&>(array), chunk, page));
  } else {
    ARROW_RETURN_NOT_OK(write_chunk(array, page));
  }
  add_page(page.info, chunk.info_);
  chunk.info_.value_count += array.length();
  chunk.info_.statistics.null_count += array.null_count();
  widen_range(page.info.statistics, type, chunk.info_.statistics);
  return arrow::Status::OK();
}

arrow::Status ChunkEncoder::write_text_page(const arrow::BinaryArray& array, PagedChunk& chunk,
                                            Chunk& page) {
  if (!chunk.is_plain_) {
    const std::vector<int32_t> codes = codes_of(array, chunk.texts_);
    const std::span known(chunk.texts_.values());
    const size_t bytes =
        chunk.dictionary_plain_bytes_ + plain_bytes(known.subspan(chunk.dictionary_size_));
    if (bytes <= kDictionaryBytesMax) {
      chunk.dictionary_size_ = known.size();
      chunk.dictionary_plain_bytes_ = bytes;
      return write_coded_texts(array, codes, known.size(), page);
    }
    chunk.is_plain_ = true;
    if (chunk.dictionary_size_ == 0) chunk.texts_ = ValueInterner();
  }
  const CodedTexts texts = texts_one_by_one(array);
  set_range(texts.values, page.info.statistics);
  return write_plain_texts(array, texts, page);
}

arrow::Result<ChunkInfo> ChunkEncoder::finish(PagedChunk& chunk,
                                              const parquet::ColumnDescriptor& descriptor,
                                              GrowingBuffer& out) {
  ChunkInfo info = std::move(chunk.info_);
  if (info.encoding == Encoding::RLE_DICTIONARY) {
    Chunk head{descriptor, out, {}};
    const auto texts = std::span(chunk.texts_.values()).first(chunk.dictionary_size_);
    set_range(texts, head.info.statistics);
    ARROW_RETURN_NOT_OK(write_dictionary(texts, head));
    info.dictionary_bytes = head.info.dictionary_bytes;
    info.byte_count += head.info.byte_count;
    info.uncompressed_bytes += head.info.uncompressed_bytes;
    widen_range(head.info.statistics, arrow::Type::STRING, info.statistics);
  }
  ARROW_RETURN_NOT_OK(out.append(chunk.pages_.data(), chunk.pages_.size()));
  finish_statistics(descriptor, info.statistics.null_count, info.statistics);
  return info;
}

void ChunkEncoder::give_back(size_t kept_bytes_max) {
  page_.give_back(kept_bytes_max);
  compressed_.give_back(kept_bytes_max);
  dense_.give_back(kept_bytes_max);
}

arrow::Status ChunkEncoder::write_chunk(const arrow::Array& array, Chunk& chunk) {
  switch (array.type_id()) {
    case arrow::Type::DICTIONARY:
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return write_texts(array, chunk);
    case arrow::Type::DATE32:
      return write_numbers<arrow::Date32Array>(array, chunk);
    case arrow::Type::INT32:
      return write_numbers<arrow::Int32Array>(array, chunk);
    case arrow::Type::UINT32:
      return write_numbers<arrow::UInt32Array>(array, chunk);
    case arrow::Type::INT64:
      return write_numbers<arrow::Int64Array>(array, chunk);
    case arrow::Type::UINT64:
      return write_numbers<arrow::UInt64Array>(array, chunk);
    case arrow::Type::TIMESTAMP:
      return write_numbers<arrow::TimestampArray>(array, chunk);
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
arrow::Status ChunkEncoder::write_pages(const arrow::Array& array, Encoding::type encoding,
                                        Chunk& chunk, EncodeValues&& encode_page) {
  chunk.info.encoding = encoding;
  const PageCompression compression = compression_of(encoding);
  for (int64_t row = 0; row < array.length(); row += kPageRows) {
    const auto rows = array.Slice(row, kPageRows);
    page_.clear();
    ARROW_RETURN_NOT_OK(write_levels(*rows, chunk));
    const auto begin = static_cast<size_t>(value_position(array, row));
    const auto count = static_cast<size_t>(rows->length() - rows->null_count());
    ARROW_RETURN_NOT_OK(encode_page(begin, count));
    ARROW_ASSIGN_OR_RAISE(const auto packed, packed_page(compression));
    ARROW_RETURN_NOT_OK(put_page({PageType::DATA_PAGE, page_.size(), packed.size(),
                                  static_cast<size_t>(rows->length()), encoding},
                                 packed, chunk));
    ++chunk.info.data_page_count;
  }
  return arrow::Status::OK();
}

/// Which rows are not null, as the format has it in front of the values.
arrow::Status ChunkEncoder::write_levels(const arrow::Array& array, const Chunk& chunk) {
  if (chunk.descriptor.max_definition_level() == 0) return arrow::Status::OK();
  const auto length = static_cast<size_t>(array.length());
  ARROW_ASSIGN_OR_RAISE(uint8_t* const out,
                        page_.room(sizeof(uint32_t) + encoded_indices_bytes_max(length, 1)));
  uint8_t* const levels = out + sizeof(uint32_t);
  const uint8_t* end = nullptr;
  if (array.null_count() == 0) {
    end = encode_equal_indices(1, length, 1, levels);
  } else {
    levels_.resize(length);
    for (size_t row = 0; row < length; ++row) {
      levels_[row] = array.IsValid(static_cast<int64_t>(row)) ? 1 : 0;
    }
    end = encode_indices(levels_, 1, levels);
  }
  const auto byte_count = static_cast<uint32_t>(end - out - sizeof(uint32_t));
  std::memcpy(out, &byte_count, sizeof byte_count);
  page_.set_size(page_.size() + sizeof byte_count + byte_count);
  return arrow::Status::OK();
}

PageCompression ChunkEncoder::compression_of(Encoding::type encoding) const {
  if (options_.packing == PagePacking::kFast) return PageCompression::kNone;
  if (encoding != Encoding::BYTE_STREAM_SPLIT || options_.split == SplitContent::kRepeating) {
    return PageCompression::kLevel1;
  }
  return PageCompression::kNoise;
}

arrow::Result<std::span<const uint8_t>> ChunkEncoder::packed_page(PageCompression compression) {
  // Sizes in a page header have 32 bits, and what does not compress becomes a little longer.
  const size_t bound = ZSTD_compressBound(page_.size());
  if (bound > std::numeric_limits<int32_t>::max()) {
    return arrow::Status::CapacityError("a page of ", page_.size(), " bytes is too large");
  }
  if (compression == PageCompression::kNone) return std::span(page_.data(), page_.size());
  compressed_.clear();
  ARROW_ASSIGN_OR_RAISE(uint8_t* const out, compressed_.room(bound));
  const RepeatSearch search = search_of(compression);
  const auto set = [&](ZSTD_cParameter name, int value) {
    return check_zstd(ZSTD_CCtx_setParameter(zstd_.get(), name, value));
  };
  ARROW_RETURN_NOT_OK(set(ZSTD_c_compressionLevel, kPageZstdLevel));
  ARROW_RETURN_NOT_OK(set(ZSTD_c_minMatch, search.match_bytes_min));
  ARROW_RETURN_NOT_OK(set(ZSTD_c_hashLog, search.hash_table_log2));
  const size_t byte_count = ZSTD_compress2(zstd_.get(), out, bound, page_.data(), page_.size());
  ARROW_RETURN_NOT_OK(check_zstd(byte_count));
  compressed_.set_size(byte_count);
  return std::span(compressed_.data(), compressed_.size());
}

arrow::Status ChunkEncoder::put_page(const PageHeader& page, std::span<const uint8_t> packed,
                                     Chunk& chunk) {
  const EncodedPageHeader header(page);
  ARROW_RETURN_NOT_OK(chunk.out.append(header.data(), header.size()));
  ARROW_RETURN_NOT_OK(chunk.out.append(packed.data(), packed.size()));
  chunk.info.byte_count += static_cast<int64_t>(header.size() + packed.size());
  chunk.info.uncompressed_bytes += static_cast<int64_t>(header.size() + page_.size());
  return arrow::Status::OK();
}

/// The values of the rows that are not null, one behind the other.
template <typename Value>
arrow::Result<std::span<const Value>> ChunkEncoder::dense_values(const arrow::Array& array,
                                                                 const Value* values) {
  const auto length = static_cast<size_t>(array.length());
  if (array.null_count() == 0) return std::span<const Value>(values, length);
  dense_.clear();
  ARROW_ASSIGN_OR_RAISE(uint8_t* const room, dense_.room(length * sizeof(Value)));
  auto* const out = reinterpret_cast<Value*>(room);
  size_t count = 0;
  for (size_t row = 0; row < length; ++row) {
    if (array.IsValid(static_cast<int64_t>(row))) out[count++] = values[row];
  }
  return std::span<const Value>(out, count);
}

template <typename Value>
arrow::Status ChunkEncoder::split_values(std::span<const Value> values) {
  ARROW_ASSIGN_OR_RAISE(uint8_t* const out, page_.room(values.size_bytes()));
  split_bytes(values, out);
  page_.set_size(page_.size() + values.size_bytes());
  return arrow::Status::OK();
}

template <typename Value>
arrow::Status ChunkEncoder::delta_values(std::span<const Value> values) {
  ARROW_ASSIGN_OR_RAISE(uint8_t* const out,
                        page_.room(encoded_deltas_bytes_max(values.size(), sizeof(Value))));
  const uint8_t* const end = encode_deltas(values, out);
  page_.set_size(page_.size() + static_cast<size_t>(end - out));
  return arrow::Status::OK();
}

template <typename Value>
arrow::Status ChunkEncoder::encode_values(std::span<const Value> values, Encoding::type encoding) {
  if (encoding == Encoding::PLAIN) return page_.append(values.data(), values.size_bytes());
  if (encoding == Encoding::BYTE_STREAM_SPLIT) return split_values(values);
  // Callers ask for it with types that have it only.
  if constexpr (std::is_integral_v<Value>) return delta_values(values);
  return arrow::Status::Invalid("floating point numbers have no deltas");
}

Encoding::type ChunkEncoder::number_encoding_of(arrow::Type::type type) const {
  if (options_.packing == PagePacking::kFast) return Encoding::PLAIN;
  const bool by_delta = type == arrow::Type::DATE32 || type == arrow::Type::UINT32 ||
                        type == arrow::Type::INT64 || type == arrow::Type::UINT64 ||
                        type == arrow::Type::TIMESTAMP ||
                        (type == arrow::Type::INT32 && options_.int32 == Int32Encoding::kDelta);
  return by_delta ? Encoding::DELTA_BINARY_PACKED : Encoding::BYTE_STREAM_SPLIT;
}

template <typename ArrowArray>
arrow::Status ChunkEncoder::write_numbers(const arrow::Array& array, Chunk& chunk) {
  const auto encoding = number_encoding_of(array.type_id());
  const auto* const raw = static_cast<const ArrowArray&>(array).raw_values();
  ARROW_ASSIGN_OR_RAISE(const auto values, dense_values(array, raw));
  set_range(values, chunk.info.statistics);
  return write_pages(array, encoding, chunk, [&](size_t begin, size_t count) {
    const auto part = values.subspan(begin, count);
    if constexpr (std::is_same_v<ArrowArray, arrow::UInt32Array>) {
      return encode_values(std::span(reinterpret_cast<const int32_t*>(part.data()), part.size()),
                           encoding);
    } else if constexpr (std::is_same_v<ArrowArray, arrow::UInt64Array>) {
      return encode_values(std::span(reinterpret_cast<const int64_t*>(part.data()), part.size()),
                           encoding);
    } else {
      return encode_values(part, encoding);
    }
  });
}

arrow::Status ChunkEncoder::write_flags(const arrow::BooleanArray& array, Chunk& chunk) {
  std::vector<uint8_t> flags;
  for (int64_t row = 0; row < array.length(); ++row) {
    if (array.IsValid(row)) flags.push_back(array.Value(row) ? 1 : 0);
  }
  if (!flags.empty()) {
    const auto [least, most] = std::ranges::minmax(flags);
    chunk.info.statistics.set_min(bytes_of(least)).set_max(bytes_of(most));
  }
  return write_pages(array, Encoding::PLAIN, chunk, [&](size_t begin, size_t count) {
    std::vector<uint8_t> bits((count + 7) / 8);
    for (size_t i = 0; i < count; ++i) {
      bits[i / 8] = static_cast<uint8_t>(bits[i / 8] | flags[begin + i] << (i % 8));
    }
    return page_.append(bits.data(), bits.size());
  });
}

arrow::Status ChunkEncoder::write_texts(const arrow::Array& array, Chunk& chunk) {
  ValueInterner interner;
  const CodedTexts texts =
      array.type_id() == arrow::Type::DICTIONARY
          ? code_dictionary(static_cast<const arrow::DictionaryArray&>(array))
          : code_texts(static_cast<const arrow::BinaryArray&>(array), interner);
  set_range(texts.values, chunk.info.statistics);
  if (plain_bytes(texts.values) > kDictionaryBytesMax) {
    return write_plain_texts(array, texts, chunk);
  }
  ARROW_RETURN_NOT_OK(write_dictionary(texts.values, chunk));
  return write_coded_texts(array, texts.codes, texts.values.size(), chunk);
}

arrow::Status ChunkEncoder::write_coded_texts(const arrow::Array& array,
                                              std::span<const int32_t> codes, size_t value_count,
                                              Chunk& chunk) {
  // Some readers do not know indices of no bits.
  const int bit_width =
      std::max(1, static_cast<int>(std::bit_width(value_count - (value_count == 0 ? 0U : 1U))));
  return write_pages(array, Encoding::RLE_DICTIONARY, chunk, [&](size_t begin, size_t count) {
    const auto width = static_cast<uint8_t>(bit_width);
    ARROW_RETURN_NOT_OK(page_.append(&width, 1));
    ARROW_ASSIGN_OR_RAISE(uint8_t* const out,
                          page_.room(encoded_indices_bytes_max(count, bit_width)));
    const uint8_t* const end = encode_indices(codes.subspan(begin, count), bit_width, out);
    page_.set_size(page_.size() + static_cast<size_t>(end - out));
    return arrow::Status::OK();
  });
}

arrow::Status ChunkEncoder::write_dictionary(std::span<const std::string_view> values,
                                             Chunk& chunk) {
  page_.clear();
  for (const std::string_view value : values) ARROW_RETURN_NOT_OK(append_plain(value, page_));
  ARROW_ASSIGN_OR_RAISE(const auto packed, packed_page(compression_of(Encoding::RLE_DICTIONARY)));
  ARROW_RETURN_NOT_OK(put_page(
      {PageType::DICTIONARY_PAGE, page_.size(), packed.size(), values.size(), Encoding::PLAIN},
      packed, chunk));
  chunk.info.dictionary_bytes = chunk.info.byte_count;
  return arrow::Status::OK();
}

arrow::Status ChunkEncoder::write_plain_texts(const arrow::Array& array, const CodedTexts& texts,
                                              Chunk& chunk) {
  return write_pages(array, Encoding::PLAIN, chunk, [&](size_t begin, size_t count) {
    for (const int32_t code : texts.codes.subspan(begin, count)) {
      ARROW_RETURN_NOT_OK(append_plain(texts.values[static_cast<size_t>(code)], page_));
    }
    return arrow::Status::OK();
  });
}

}  // namespace tapeworks
