#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include <arrow/type_fwd.h>
#include <parquet/types.h>

#include "base/result.h"
#include "storage/input_file.h"

namespace parquet {
class ColumnChunkMetaData;
class ColumnDescriptor;
class FileMetaData;
class Page;
class PageReader;
}  // namespace parquet

namespace tapeworks {

/// Where the bytes of a column chunk begin in its file: at its dictionary page, if it has one.
int64_t first_page_offset(const parquet::ColumnChunkMetaData& chunk);

/// Decompresses pages. Keeps what the codecs need from page to page. Threads: one.
class PageDecompressor {
 public:
  PageDecompressor();
  ~PageDecompressor();

  /// Fills `out` exactly; throws parquet::ParquetException when the page is damaged or its codec
  /// unknown.
  void decompress(parquet::Compression::type codec, std::span<const uint8_t> compressed,
                  std::span<uint8_t> out);
  /// Fills `out` from its beginning and returns how many bytes it took. Throws likewise.
  size_t decompress_some(parquet::Compression::type codec, std::span<const uint8_t> compressed,
                         std::span<uint8_t> out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The pages of one column chunk, decompressed, in the order of the file.
///
/// The library parses the page headers; bytes come from plain reads of 256 KiB, or a page if that
/// is larger, and pages are decompressed here, because the library's own streams and codecs
/// allocate anew for each page. Threads: one. Ownership: file, metadata, pool and decompressor must
/// outlive it.
class ColumnPages {
 public:
  struct Source {
    const InputFile& file;
    const parquet::FileMetaData& metadata;
    int row_group = 0;
    int column = 0;
    arrow::MemoryPool* pool = nullptr;
    PageDecompressor* decompressor = nullptr;
  };

  /// Throws parquet::ParquetException when the footer's claims about the chunk are impossible.
  explicit ColumnPages(const Source& source);
  ~ColumnPages();

  struct Page {
    std::shared_ptr<parquet::Page> header;  ///< null behind the last page; its data is compressed
    std::span<const uint8_t> bytes;         ///< valid until the next call
  };
  /// Throws parquet::ParquetException for damaged pages, and what the pool throws. Data pages with
  /// no more values than `skippable` are passed over without being decompressed; their values are
  /// taken off it.
  Page next(int64_t& skippable);

 private:
  class ChunkStream;
  std::span<const uint8_t> decompressed(std::span<const uint8_t> compressed, size_t size_max,
                                        bool is_exact);
  std::span<const uint8_t> dictionary_bytes(std::span<const uint8_t> compressed);

  arrow::MemoryPool* pool_;
  PageDecompressor* decompressor_;
  parquet::Compression::type codec_;
  int64_t uncompressed_bytes_max_ = 0;  // of the whole chunk, as the footer says
  bool always_compressed_ = false;
  std::unique_ptr<parquet::PageReader> pages_;
  std::shared_ptr<arrow::ResizableBuffer> buffer_;
};

}  // namespace tapeworks
