#include "storage/column_pages.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <string_view>
#include <utility>

#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>
#include <arrow/memory_pool.h>
#include <arrow/util/compression.h>
#include <parquet/column_page.h>
#include <parquet/column_reader.h>
#include <parquet/exception.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>
#include <zstd.h>

#include "base/run_stats.h"

namespace tapeworks {
namespace {

/// Bytes of one read.
constexpr int64_t kWindowBytes = int64_t{256} * 1024;
/// Tried first for a dictionary that does not say how large it is.
constexpr size_t kDictionaryRoomBytes = size_t{1024} * 1024;

using parquet::Compression;
using parquet::ParquetException;

void check(const arrow::Status& status) {
  if (!status.ok()) throw parquet::ParquetStatusException(status);
}

template <typename T>
T checked(arrow::Result<T> result) {
  check(result.status());
  return std::move(result).ValueUnsafe();
}

struct ByteRange {
  int64_t offset = 0;
  int64_t length = 0;
};

/// Where the pages of a chunk lie; sizes that cannot be are refused.
ByteRange range_of(const parquet::ColumnChunkMetaData& chunk,
                   const parquet::ApplicationVersion& writer, int64_t source_bytes) {
  ByteRange range{first_page_offset(chunk), chunk.total_compressed_size()};
  if (range.offset < 0 || range.length < 0 || range.offset > source_bytes ||
      range.length > source_bytes - range.offset) {
    throw ParquetException("the column chunk is said to lie outside the file");
  }
  // Old versions of parquet-mr forgot the header of the dictionary page (PARQUET-816).
  constexpr int64_t kForgottenBytesMax = 100;
  if (writer.VersionLt(parquet::ApplicationVersion::PARQUET_816_FIXED_VERSION())) {
    range.length += std::min(kForgottenBytesMax, source_bytes - range.offset - range.length);
  }
  return range;
}

bool is_data_page(const parquet::Page& page) {
  return page.type() == parquet::PageType::DATA_PAGE ||
         page.type() == parquet::PageType::DATA_PAGE_V2;
}

}  // namespace

int64_t first_page_offset(const parquet::ColumnChunkMetaData& chunk) {
  const int64_t data = chunk.data_page_offset();
  const int64_t dictionary = chunk.has_dictionary_page() ? chunk.dictionary_page_offset() : 0;
  return dictionary > 0 && dictionary < data ? dictionary : data;
}

struct PageDecompressor::State {
  std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> zstd{ZSTD_createDCtx(), ZSTD_freeDCtx};
  std::map<Compression::type, std::unique_ptr<arrow::util::Codec>> codecs;
};

PageDecompressor::PageDecompressor() : state_(std::make_unique<State>()) {}

PageDecompressor::~PageDecompressor() = default;

size_t PageDecompressor::decompress_some(Compression::type codec,
                                         std::span<const uint8_t> compressed,
                                         std::span<uint8_t> out) {
  if (codec == Compression::ZSTD) {
    const size_t size = ZSTD_decompressDCtx(state_->zstd.get(), out.data(), out.size(),
                                            compressed.data(), compressed.size());
    if (ZSTD_isError(size) == 0) return size;
    throw ParquetException("a page cannot be decompressed: ", ZSTD_getErrorName(size));
  }
  auto& decoder = state_->codecs[codec];
  if (decoder == nullptr) decoder = checked(arrow::util::Codec::Create(codec));
  return static_cast<size_t>(
      checked(decoder->Decompress(static_cast<int64_t>(compressed.size()), compressed.data(),
                                  static_cast<int64_t>(out.size()), out.data())));
}

void PageDecompressor::decompress(Compression::type codec, std::span<const uint8_t> compressed,
                                  std::span<uint8_t> out) {
  if (decompress_some(codec, compressed, out) != out.size()) {
    throw ParquetException("a page is shorter than its header says");
  }
}

/// The bytes of the chunk through a window that is read at once. What Peek() and Read() return
/// stays until the next call.
class ColumnPages::ChunkStream final : public arrow::io::InputStream {
 public:
  ChunkStream(const InputFile& file, ByteRange range, arrow::MemoryPool* pool)
      : file_(file),
        next_offset_(range.offset),
        unread_bytes_(range.length),
        pool_(pool),
        window_(checked(arrow::AllocateBuffer(std::min(range.length, kWindowBytes), pool))) {}

  arrow::Result<std::string_view> Peek(int64_t wanted) override {
    ARROW_RETURN_NOT_OK(provide(wanted));
    return std::string_view(reinterpret_cast<const char*>(window_->data() + begin_),
                            static_cast<size_t>(std::min(wanted, available())));
  }

  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t wanted) override {
    ARROW_RETURN_NOT_OK(provide(wanted));
    const int64_t count = std::min(wanted, available());
    auto view = std::make_shared<arrow::Buffer>(window_->data() + begin_, count);
    begin_ += count;
    return view;
  }

  arrow::Result<int64_t> Read(int64_t wanted, void* out) override {
    ARROW_ASSIGN_OR_RAISE(const auto view, Read(wanted));
    if (view->size() > 0) std::memcpy(out, view->data(), static_cast<size_t>(view->size()));
    return view->size();
  }

  arrow::Result<int64_t> Tell() const override { return next_offset_ - available(); }
  arrow::Status Close() override { return arrow::Status::OK(); }
  bool closed() const override { return false; }
  bool supports_zero_copy() const override { return true; }

 private:
  int64_t available() const { return end_ - begin_; }

  /// At least `wanted` bytes in the window, or all that the chunk still has.
  arrow::Status provide(int64_t wanted) {
    if (wanted < 0) return arrow::Status::Invalid("a page has a negative size");
    wanted = std::min(wanted, available() + unread_bytes_);
    if (wanted <= available()) return arrow::Status::OK();
    if (wanted > window_->size()) {
      ARROW_ASSIGN_OR_RAISE(auto larger, arrow::AllocateBuffer(wanted, pool_));
      std::memcpy(larger->mutable_data(), window_->data() + begin_,
                  static_cast<size_t>(available()));
      window_ = std::move(larger);
    } else {
      std::memmove(window_->mutable_data(), window_->data() + begin_,
                   static_cast<size_t>(available()));
    }
    end_ = available();
    begin_ = 0;
    while (available() < wanted) ARROW_RETURN_NOT_OK(read_more());
    return arrow::Status::OK();
  }

  arrow::Status read_more() {
    const StageTimer timer(Stage::kRead);
    const int64_t room = std::min(window_->size() - end_, unread_bytes_);
    ARROW_ASSIGN_OR_RAISE(const int64_t count,
                          file_.read_at(next_offset_, room, window_->mutable_data() + end_));
    if (count == 0) return arrow::Status::Invalid("the file ends within a column chunk");
    end_ += count;
    next_offset_ += count;
    unread_bytes_ -= count;
    return arrow::Status::OK();
  }

  const InputFile& file_;
  int64_t next_offset_;
  int64_t unread_bytes_;
  arrow::MemoryPool* pool_;
  std::unique_ptr<arrow::Buffer> window_;
  int64_t begin_ = 0;  // of what is in the window and not yet taken
  int64_t end_ = 0;
};

ColumnPages::ColumnPages(const Source& source)
    : pool_(source.pool), decompressor_(source.decompressor), codec_(Compression::UNCOMPRESSED) {
  const auto chunk = source.metadata.RowGroup(source.row_group)->ColumnChunk(source.column);
  const auto& writer = source.metadata.writer_version();
  codec_ = chunk->compression();
  uncompressed_bytes_max_ = chunk->total_uncompressed_size();
  // Before its version 3 Arrow did not say that it had compressed pages of version 2.
  always_compressed_ =
      codec_ != Compression::UNCOMPRESSED &&
      writer.VersionLt(parquet::ApplicationVersion::PARQUET_CPP_10353_FIXED_VERSION());
  auto stream = std::make_shared<ChunkStream>(
      source.file, range_of(*chunk, writer, checked(source.file.size())), pool_);
  // To the library the pages are not compressed: it hands them on as they are.
  pages_ = parquet::PageReader::Open(std::move(stream), chunk->num_values(),
                                     Compression::UNCOMPRESSED, parquet::ReaderProperties(pool_),
                                     *source.metadata.schema()->Column(source.column));
}

ColumnPages::~ColumnPages() = default;

std::span<const uint8_t> ColumnPages::decompressed(std::span<const uint8_t> compressed,
                                                   size_t size_max, bool is_exact) {
  if (buffer_ == nullptr) buffer_ = checked(arrow::AllocateResizableBuffer(0, pool_));
  if (buffer_->size() < static_cast<int64_t>(size_max)) {
    check(buffer_->Resize(static_cast<int64_t>(size_max)));
  }
  const std::span<uint8_t> out(buffer_->mutable_data(), size_max);
  if (!is_exact) return out.first(decompressor_->decompress_some(codec_, compressed, out));
  decompressor_->decompress(codec_, compressed, out);
  return out;
}

/// The header of a dictionary page says how large it is unpacked, but the library does not pass it
/// on: zstd frames mostly know it, for others room is made as it turns out to be needed. It is
/// never more than the footer claims for the whole chunk.
std::span<const uint8_t> ColumnPages::dictionary_bytes(std::span<const uint8_t> compressed) {
  const auto bound = static_cast<size_t>(std::max<int64_t>(uncompressed_bytes_max_, 0));
  if (codec_ == Compression::ZSTD) {
    const auto size = ZSTD_getFrameContentSize(compressed.data(), compressed.size());
    const bool is_known = size != ZSTD_CONTENTSIZE_UNKNOWN && size != ZSTD_CONTENTSIZE_ERROR;
    if (is_known && size > bound) {
      throw ParquetException("a dictionary is larger than its column chunk");
    }
    const size_t frame_bytes = ZSTD_findFrameCompressedSize(compressed.data(), compressed.size());
    if (is_known && frame_bytes == compressed.size()) return decompressed(compressed, size, true);
    // It may be the first of several frames.
  }
  for (size_t room = std::min(bound, kDictionaryRoomBytes);; room = std::min(bound, 2 * room)) {
    try {
      return decompressed(compressed, room, false);
    } catch (const ParquetException&) {
      if (room == bound) throw;
    }
  }
}

ColumnPages::Page ColumnPages::next(int64_t& skippable) {
  Page page{pages_->NextPage(), {}};
  while (skippable > 0 && page.header != nullptr && is_data_page(*page.header)) {
    const int64_t count = static_cast<const parquet::DataPage&>(*page.header).num_values();
    if (count < 0) throw ParquetException("a page claims a negative number of values");
    if (count > skippable) break;
    skippable -= count;
    page.header = pages_->NextPage();
  }
  if (page.header == nullptr) return page;
  const std::span<const uint8_t> stored(
      page.header->data(), static_cast<size_t>(std::max<int64_t>(page.header->size(), 0)));
  page.bytes = stored;
  if (codec_ == Compression::UNCOMPRESSED) return page;
  switch (page.header->type()) {
    case parquet::PageType::DICTIONARY_PAGE:
      page.bytes = dictionary_bytes(stored);
      break;
    case parquet::PageType::DATA_PAGE: {
      const auto& data = static_cast<const parquet::DataPageV1&>(*page.header);
      if (data.uncompressed_size() < 0) throw ParquetException("a page has a negative size");
      page.bytes = decompressed(stored, static_cast<size_t>(data.uncompressed_size()), true);
      break;
    }
    case parquet::PageType::DATA_PAGE_V2: {
      const auto& data = static_cast<const parquet::DataPageV2&>(*page.header);
      if (!data.is_compressed() && !always_compressed_) break;
      // The levels stand in front as they are.
      const int64_t level_bytes =
          int64_t{data.repetition_levels_byte_length()} + data.definition_levels_byte_length();
      const int64_t total = data.uncompressed_size();
      if (level_bytes < 0 || total < level_bytes ||
          level_bytes > static_cast<int64_t>(stored.size())) {
        throw ParquetException("the levels of a page run past its end");
      }
      if (buffer_ == nullptr) buffer_ = checked(arrow::AllocateResizableBuffer(0, pool_));
      if (buffer_->size() < total) check(buffer_->Resize(total));
      const std::span<uint8_t> out(buffer_->mutable_data(), static_cast<size_t>(total));
      const auto levels = stored.first(static_cast<size_t>(level_bytes));
      std::ranges::copy(levels, out.begin());
      if (const auto values = out.subspan(levels.size()); !values.empty()) {
        decompressor_->decompress(codec_, stored.subspan(levels.size()), values);
      }
      page.bytes = out;
      break;
    }
    default:
      break;
  }
  return page;
}

}  // namespace tapeworks
