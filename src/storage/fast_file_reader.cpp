#include "storage/fast_file_reader.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <exception>
#include <limits>
#include <optional>
#include <utility>

#include <arrow/array.h>
#include <arrow/table.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/metadata.h>
#include <parquet/schema.h>

#include "storage/column_pages.h"
#include "storage/index_decoder.h"
#include "storage/input_file.h"
#include "storage/page_header_internal.h"
#include "storage/parquet_layout_internal.h"

namespace tapeworks {
namespace {

using parquet::Encoding;
using parquet::PageType;

/// Of each buffer that is kept for the next file.
constexpr size_t kKeptBytesMax = size_t{1} << 20;
/// Behind a chunk's bytes, so that a value may be read where none is left.
constexpr size_t kSlackBytes = sizeof(uint64_t);

static_assert(std::endian::native == std::endian::little, "Parquet numbers are little-endian");

arrow::Status unknown(const char* what) { return arrow::Status::Invalid(what); }

bool is_text(const arrow::DataType& type) {
  return type.id() == arrow::Type::STRING || type.id() == arrow::Type::BINARY;
}

/// What each row takes in memory, of a text its offset; 0 for a type that is not read here.
size_t row_bytes_of(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
    case arrow::Type::INT32:
    case arrow::Type::UINT32:
      return sizeof(uint32_t);
    case arrow::Type::INT64:
    case arrow::Type::UINT64:
    case arrow::Type::TIMESTAMP:
    case arrow::Type::DOUBLE:
      return sizeof(uint64_t);
    default:
      return 0;
  }
}

arrow::Status read_exactly(const InputFile& file, int64_t offset, std::span<uint8_t> out) {
  while (!out.empty()) {
    ARROW_ASSIGN_OR_RAISE(const int64_t count,
                          file.read_at(offset, static_cast<int64_t>(out.size()), out.data()));
    if (count <= 0) return unknown("the file has ended");
    out = out.subspan(static_cast<size_t>(count));
    offset += count;
  }
  return arrow::Status::OK();
}

/// The footer: Thrift, its length, and the magic.
arrow::Result<std::shared_ptr<parquet::FileMetaData>> read_footer(const InputFile& file,
                                                                  GrowingBuffer& buffer) {
  constexpr int64_t kTailBytes = sizeof(uint32_t) + 4;
  ARROW_ASSIGN_OR_RAISE(const int64_t size, file.size());
  std::array<uint8_t, kTailBytes> tail{};
  if (size < kTailBytes) return unknown("no room for a footer");
  ARROW_RETURN_NOT_OK(read_exactly(file, size - kTailBytes, tail));
  uint32_t length = 0;
  std::memcpy(&length, tail.data(), sizeof length);
  const std::string_view magic(reinterpret_cast<const char*>(tail.data()) + sizeof length,
                               kParquetMagic.size());
  if (magic != kParquetMagic || length > size - kTailBytes) return unknown("no footer");
  buffer.clear();
  ARROW_ASSIGN_OR_RAISE(uint8_t* const bytes, buffer.room(length));
  ARROW_RETURN_NOT_OK(read_exactly(file, size - kTailBytes - length, {bytes, length}));
  return parquet::FileMetaData::Make(bytes, int64_t{length});
}

}  // namespace

/// A data page.
struct FastFileReader::Page {
  size_t first_row = 0;
  size_t row_count = 0;
  size_t value_count = 0;  ///< rows that are not null; as many as rows until levels were taken
  Encoding::type encoding = Encoding::PLAIN;
  std::span<const uint8_t> bytes;
};

/// The bytes of a column chunk, taken from front to back.
class FastFileReader::Chunk {
 public:
  explicit Chunk(std::span<const uint8_t> bytes) : rest_(bytes) {}

  bool is_at_end() const { return rest_.empty(); }

  /// Of a page that is not compressed.
  std::optional<PageHeader> take_header() {
    const auto header = take_page_header(rest_);
    if (!header || header->compressed_bytes != header->uncompressed_bytes ||
        header->compressed_bytes > rest_.size()) {
      return std::nullopt;
    }
    return header;
  }

  std::span<const uint8_t> take(size_t count) {
    const auto taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }

 private:
  std::span<const uint8_t> rest_;
};

/// Memory for what has one size for each row, in one piece for all columns.
class FastFileReader::RowsMemory {
 public:
  static arrow::Result<RowsMemory> allocate(const arrow::Schema& schema, size_t row_count,
                                            arrow::MemoryPool* pool) {
    RowsMemory memory;
    size_t bytes = 0;
    for (const auto& field : schema.fields()) {
      const size_t row_bytes = row_bytes_of(*field->type());
      if (row_bytes == 0) return unknown("a column of another type");
      bytes += padded(row_bytes * (row_count + 1));
      if (field->nullable()) bytes += padded(bitmap_bytes(row_count));
    }
    ARROW_ASSIGN_OR_RAISE(memory.buffer_, arrow::AllocateBuffer(static_cast<int64_t>(bytes), pool));
    return memory;
  }

  /// Begins at a multiple of 64 bytes, as Arrow wishes.
  std::shared_ptr<arrow::Buffer> take(size_t bytes) {
    const size_t begin = std::exchange(used_, used_ + padded(bytes));
    return arrow::SliceMutableBuffer(buffer_, static_cast<int64_t>(begin),
                                     static_cast<int64_t>(bytes));
  }

  static size_t bitmap_bytes(size_t row_count) { return (row_count + 7) / 8; }

 private:
  static size_t padded(size_t bytes) { return (bytes + 63) / 64 * 64; }

  std::shared_ptr<arrow::Buffer> buffer_;
  size_t used_ = 0;
};

namespace {

/// One bit a row, of numbers that are 0 or 1.
void pack_bits(std::span<const int32_t> levels, uint8_t* out) {
  for (size_t row = 0; row < levels.size(); row += 8) {
    const size_t count = std::min<size_t>(8, levels.size() - row);
    unsigned bits = 0;
    for (size_t i = 0; i < count; ++i) bits |= static_cast<unsigned>(levels[row + i]) << i;
    out[row / 8] = static_cast<uint8_t>(bits);
  }
}

/// Values stand in `dense` for rows of level 1 only, with slack behind them.
template <typename Value>
void spread(std::span<const int32_t> levels, const uint8_t* dense, uint8_t* out) {
  for (const int32_t level : levels) {
    Value value{};
    std::memcpy(&value, dense, sizeof value);
    if (level == 0) value = Value{};
    std::memcpy(out, &value, sizeof value);
    out += sizeof value;
    dense += sizeof value * static_cast<size_t>(level);
  }
}

/// Texts as PLAIN has them: their length and they themselves. False when there are not as many.
bool take_plain_texts(std::span<const uint8_t> bytes, std::span<std::string_view> texts) {
  for (std::string_view& text : texts) {
    uint32_t length = 0;
    if (bytes.size() < sizeof length) return false;
    std::memcpy(&length, bytes.data(), sizeof length);
    bytes = bytes.subspan(sizeof length);
    if (bytes.size() < length) return false;
    text = {reinterpret_cast<const char*>(bytes.data()), length};
    bytes = bytes.subspan(length);
  }
  return bytes.empty();
}

template <typename Value>
void give_back(std::vector<Value>& values) {
  values.clear();
  if (values.capacity() * sizeof(Value) > kKeptBytesMax) values.shrink_to_fit();
}

}  // namespace

FastFileReader::FastFileReader(arrow::MemoryPool* pool) : pool_(pool), stored_(pool) {}
FastFileReader::~FastFileReader() = default;

std::shared_ptr<arrow::Table> FastFileReader::read(const std::filesystem::path& path,
                                                   const std::shared_ptr<arrow::Schema>& schema) {
  std::shared_ptr<arrow::Table> rows;
  try {
    rows = try_read(path, schema).ValueOr(nullptr);
  } catch (const std::exception&) {
    // The footer is damaged, or there is no memory: who reads it otherwise will see.
    rows = nullptr;
  }
  give_back_buffers();
  return rows;
}

void FastFileReader::give_back_buffers() {
  stored_.give_back(kKeptBytesMax);
  give_back(levels_);
  give_back(texts_);
  give_back(dictionary_);
  give_back(indices_);
}

arrow::Result<std::shared_ptr<arrow::Table>> FastFileReader::try_read(
    const std::filesystem::path& path, const std::shared_ptr<arrow::Schema>& schema) {
  if (schema_ == nullptr || schema_->arrow_schema != schema) {
    ARROW_ASSIGN_OR_RAISE(auto prepared, prepare_schema(schema, false, PagePacking::kFast, pool_));
    schema_ = std::make_unique<PreparedSchema>(std::move(prepared));
  }
  const auto file = InputFile::open(path);
  if (!file) return unknown("no file");
  ARROW_ASSIGN_OR_RAISE(const int64_t file_bytes, file->size());
  ARROW_ASSIGN_OR_RAISE(const auto footer, read_footer(*file, stored_));
  const auto metadata = footer->key_value_metadata();
  const auto stored_schema =
      metadata == nullptr ? arrow::Status::KeyError("") : metadata->Get("ARROW:schema");
  const bool is_known = stored_schema.ok() && *stored_schema == schema_->stored_schema &&
                        footer->schema()->Equals(*schema_->parquet_schema) &&
                        footer->num_row_groups() == 1;
  if (!is_known) return unknown("another schema, or several row groups");
  const auto row_group = footer->RowGroup(0);
  const int64_t row_count = row_group->num_rows();
  // So much at least that a wrong number does not ask for more memory than a small multiple.
  if (row_count <= 0 || row_count > file_bytes / 8) return unknown("more rows than bytes for them");
  struct Place {
    int64_t begin = 0;
    size_t byte_count = 0;
  };
  std::vector<Place> places;
  places.reserve(static_cast<size_t>(schema->num_fields()));
  for (int column = 0; column < schema->num_fields(); ++column) {
    const auto chunk = row_group->ColumnChunk(column);
    const int64_t begin = first_page_offset(*chunk);
    const int64_t length = chunk->total_compressed_size();
    const bool is_readable = begin >= 0 && length >= 0 && begin <= file_bytes - length &&
                             chunk->num_values() == row_count &&
                             chunk->compression() == arrow::Compression::UNCOMPRESSED &&
                             chunk->type() == footer->schema()->Column(column)->physical_type();
    if (!is_readable) return unknown("a column chunk outside of the file, or of another kind");
    places.push_back({begin, static_cast<size_t>(length)});
  }
  const auto rows = static_cast<size_t>(row_count);
  ARROW_ASSIGN_OR_RAISE(RowsMemory memory, RowsMemory::allocate(*schema, rows, pool_));
  arrow::ArrayVector columns;
  columns.reserve(places.size());
  for (const auto& [begin, byte_count] : places) {
    const auto& field = *schema->field(static_cast<int>(columns.size()));
    stored_.clear();
    ARROW_ASSIGN_OR_RAISE(uint8_t* const bytes, stored_.room(byte_count + kSlackBytes));
    ARROW_RETURN_NOT_OK(read_exactly(*file, begin, {bytes, byte_count}));
    std::memset(bytes + byte_count, 0, kSlackBytes);
    ARROW_ASSIGN_OR_RAISE(auto array, read_column(field, Chunk({bytes, byte_count}), rows, memory));
    columns.push_back(std::move(array));
  }
  return arrow::Table::Make(schema->WithMetadata(metadata), columns, row_count);
}

arrow::Result<std::shared_ptr<arrow::Array>> FastFileReader::read_column(const arrow::Field& field,
                                                                         Chunk chunk,
                                                                         size_t row_count,
                                                                         RowsMemory& memory) {
  is_nullable_ = field.nullable();
  null_count_ = 0;
  levels_.resize(is_nullable_ ? row_count : 0);
  std::vector<std::shared_ptr<arrow::Buffer>> buffers(1);
  if (is_text(*field.type())) {
    ARROW_RETURN_NOT_OK(read_texts(chunk, row_count));
    buffers.push_back(memory.take((row_count + 1) * sizeof(int32_t)));
    auto* offset = reinterpret_cast<int32_t*>(buffers[1]->mutable_data());
    int64_t text_bytes = 0;
    for (const std::string_view text : texts_) {
      *offset++ = static_cast<int32_t>(text_bytes);
      text_bytes += static_cast<int64_t>(text.size());
      if (text_bytes > std::numeric_limits<int32_t>::max()) return unknown("too many texts");
    }
    *offset = static_cast<int32_t>(text_bytes);
    ARROW_ASSIGN_OR_RAISE(buffers.emplace_back(), arrow::AllocateBuffer(text_bytes, pool_));
    uint8_t* out = buffers[2]->mutable_data();
    for (const std::string_view text : texts_) {
      if (text.empty()) continue;
      std::memcpy(out, text.data(), text.size());
      out += text.size();
    }
  } else {
    const size_t value_bytes = row_bytes_of(*field.type());
    buffers.push_back(memory.take(row_count * value_bytes));
    uint8_t* const out = buffers[1]->mutable_data();
    ARROW_RETURN_NOT_OK(value_bytes == sizeof(uint64_t)
                            ? read_numbers<uint64_t>(chunk, row_count, out)
                            : read_numbers<uint32_t>(chunk, row_count, out));
  }
  if (null_count_ != 0) {
    buffers[0] = memory.take(RowsMemory::bitmap_bytes(row_count));
    pack_bits(levels_, buffers[0]->mutable_data());
  }
  return arrow::MakeArray(arrow::ArrayData::Make(field.type(), static_cast<int64_t>(row_count),
                                                 std::move(buffers),
                                                 static_cast<int64_t>(null_count_)));
}

template <typename Value>
arrow::Status FastFileReader::read_numbers(Chunk& chunk, size_t row_count, uint8_t* out) {
  size_t row = 0;
  while (!chunk.is_at_end()) {
    const auto header = chunk.take_header();
    if (!header || header->type != PageType::DATA_PAGE || header->encoding != Encoding::PLAIN ||
        header->value_count > row_count - row) {
      return unknown("a page of another kind");
    }
    Page page{row, header->value_count, header->value_count, header->encoding,
              chunk.take(header->compressed_bytes)};
    row += page.row_count;
    ARROW_RETURN_NOT_OK(take_levels(page));
    if (page.bytes.size() != page.value_count * sizeof(Value)) return unknown("a page too short");
    uint8_t* const page_out = out + page.first_row * sizeof(Value);
    if (page.value_count == page.row_count) {
      if (!page.bytes.empty()) std::memcpy(page_out, page.bytes.data(), page.bytes.size());
    } else {
      const auto levels = std::span(levels_).subspan(page.first_row, page.row_count);
      spread<Value>(levels, page.bytes.data(), page_out);
    }
  }
  return row == row_count ? arrow::Status::OK() : unknown("too few rows");
}

/// Into texts_.
arrow::Status FastFileReader::read_texts(Chunk& chunk, size_t row_count) {
  dictionary_.clear();
  texts_.assign(row_count, {});
  size_t row = 0;
  for (bool is_first = true; !chunk.is_at_end(); is_first = false) {
    const auto header = chunk.take_header();
    if (!header) return unknown("a page of another kind");
    const auto bytes = chunk.take(header->compressed_bytes);
    if (header->type == PageType::DICTIONARY_PAGE) {
      // Each text takes bytes for its length at the least.
      if (!is_first || header->encoding != Encoding::PLAIN ||
          header->value_count > bytes.size() / sizeof(uint32_t)) {
        return unknown("a dictionary of another kind");
      }
      dictionary_.resize(header->value_count);
      if (!take_plain_texts(bytes, dictionary_)) return unknown("a damaged dictionary");
      continue;
    }
    if (header->value_count > row_count - row) return unknown("too many rows");
    Page page{row, header->value_count, header->value_count, header->encoding, bytes};
    row += page.row_count;
    ARROW_RETURN_NOT_OK(take_levels(page));
    const auto texts = std::span(texts_).subspan(page.first_row, page.row_count);
    ARROW_RETURN_NOT_OK(take_texts(page, texts.first(page.value_count)));
    if (page.value_count == page.row_count) continue;
    size_t value = page.value_count;
    for (size_t i = page.row_count; i-- > 0;) {
      texts[i] = levels_[page.first_row + i] != 0 ? texts[--value] : std::string_view();
    }
  }
  return row == row_count ? arrow::Status::OK() : unknown("too few rows");
}

/// The values of a page of texts, one behind the other.
arrow::Status FastFileReader::take_texts(const Page& page, std::span<std::string_view> texts) {
  if (page.encoding == Encoding::PLAIN) {
    return take_plain_texts(page.bytes, texts) ? arrow::Status::OK() : unknown("damaged texts");
  }
  const bool has_indices = page.encoding == Encoding::RLE_DICTIONARY && !page.bytes.empty();
  if (!has_indices || page.bytes[0] > 32) return unknown("texts of another kind");
  if (texts.empty()) return arrow::Status::OK();
  indices_.resize(texts.size());
  uint32_t largest = 0;
  IndexDecoder decoder(page.bytes.subspan(1), page.bytes[0]);
  const bool is_whole = decoder.decode(indices_, largest) && !decoder.is_cut_short();
  if (!is_whole || largest >= dictionary_.size()) return unknown("damaged indices");
  for (size_t i = 0; i < texts.size(); ++i) {
    texts[i] = dictionary_[static_cast<size_t>(indices_[i])];
  }
  return arrow::Status::OK();
}

/// Which rows have a value, into levels_, off the page's bytes.
arrow::Status FastFileReader::take_levels(Page& page) {
  if (!is_nullable_) return arrow::Status::OK();
  uint32_t length = 0;
  if (page.bytes.size() < sizeof length) return unknown("a page without levels");
  std::memcpy(&length, page.bytes.data(), sizeof length);
  page.bytes = page.bytes.subspan(sizeof length);
  if (page.bytes.size() < length) return unknown("a page that ends in its levels");
  const auto levels = std::span(levels_).subspan(page.first_row, page.row_count);
  IndexDecoder decoder(page.bytes.first(length), 1);
  page.bytes = page.bytes.subspan(length);
  if (decoder.starts_with_run(1, page.row_count)) {
    std::ranges::fill(levels, 1);
    return arrow::Status::OK();
  }
  uint32_t largest = 0;
  const bool is_whole = decoder.decode(levels, largest) && !decoder.is_cut_short();
  if (!is_whole || largest > 1) return unknown("damaged levels");
  page.value_count = static_cast<size_t>(std::ranges::count(levels, 1));
  null_count_ += page.row_count - page.value_count;
  return arrow::Status::OK();
}

}  // namespace tapeworks
