#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <arrow/type_fwd.h>
#include <parquet/statistics.h>
#include <zstd.h>

#include "storage/growing_buffer.h"
#include "storage/page_packing.h"
#include "storage/value_interner.h"

namespace tapeworks {

/// Of our pages (docs/decisions/0005).
constexpr int kPageZstdLevel = 1;

/// How zstd compresses a page, if at all.
enum class PageCompression : uint8_t { kNone, kLevel1, kNoise };

/// A column chunk as it lies in the file, but for its position.
struct ChunkInfo {
  int64_t value_count = 0;       ///< nulls included
  int64_t dictionary_bytes = 0;  ///< page and header; 0 without a dictionary
  int64_t byte_count = 0;        ///< of all pages and headers
  int64_t uncompressed_bytes = 0;
  parquet::Encoding::type encoding = parquet::Encoding::PLAIN;
  int32_t data_page_count = 0;   ///< in that encoding
  int32_t plain_page_count = 0;  ///< behind them, where a dictionary became too large
  parquet::EncodedStatistics statistics;
};

struct CodedTexts;
struct PageHeader;

/// A column chunk in the making whose rows come a page at a time: the encoded pages, the distinct
/// texts, and what the footer will say. Memory: those, until the chunk is finished. Threads: one.
class PagedChunk {
 public:
  explicit PagedChunk(arrow::MemoryPool* pool) : pages_(pool) {}

 private:
  friend class ChunkEncoder;

  GrowingBuffer pages_;
  ChunkInfo info_;
  ValueInterner texts_;
  size_t dictionary_size_ = 0;  // of texts_, those that pages use
  size_t dictionary_plain_bytes_ = 0;
  bool is_plain_ = false;  // from now on, because the dictionary is full
};

/// Encodes column chunks, one after the other, with buffers and contexts that it keeps: zstd; texts
/// with a dictionary page (those of many distinct bytes without), dates and integer keys
/// DELTA_BINARY_PACKED, other numbers BYTE_STREAM_SPLIT (int32 by choice), flags PLAIN; with
/// PagePacking::kFast all numbers PLAIN and no zstd. Threads: one at a time.
class ChunkEncoder {
 public:
  /// How int32 is stored. Shares do better by kSplit, which DuckDB reads from 2.0 on.
  enum class Int32Encoding { kSplit, kDelta };

  /// What numbers that are split into bytes (BYTE_STREAM_SPLIT) are like: kRepeating ones have
  /// repeats worth a search; of kNoise the upper bytes are few and the lower ones random, so that
  /// searching costs more time than it saves room.
  enum class SplitContent { kRepeating, kNoise };

  struct Options {
    Int32Encoding int32 = Int32Encoding::kSplit;
    SplitContent split = SplitContent::kNoise;
    PagePacking packing = PagePacking::kSmall;
  };

  /// `pool` must outlive the encoder.
  ChunkEncoder(arrow::MemoryPool* pool, Options options);

  /// Appends the pages of the chunk to `out`.
  arrow::Result<ChunkInfo> encode(const arrow::Array& array,
                                  const parquet::ColumnDescriptor& descriptor, GrowingBuffer& out);

  /// Adds a page of these rows. A chunk of one page has the bytes that encode() makes. Of texts,
  /// pages with which the dictionary would become too large, and those behind, do without; columns
  /// of indices have no pages.
  arrow::Status append_page(const arrow::Array& array, const parquet::ColumnDescriptor& descriptor,
                            PagedChunk& chunk);
  /// Appends the chunk, which has a page at the least, to `out`; it must not be used again.
  arrow::Result<ChunkInfo> finish(PagedChunk& chunk, const parquet::ColumnDescriptor& descriptor,
                                  GrowingBuffer& out);

  /// Gives back buffers that an unusually large page has made larger than `kept_bytes_max`.
  void give_back(size_t kept_bytes_max);

 private:
  /// The chunk being written.
  struct Chunk {
    const parquet::ColumnDescriptor& descriptor;
    GrowingBuffer& out;
    ChunkInfo info;
  };

  arrow::Status write_chunk(const arrow::Array& array, Chunk& chunk);
  arrow::Status write_texts(const arrow::Array& array, Chunk& chunk);
  arrow::Status write_text_page(const arrow::BinaryArray& array, PagedChunk& chunk, Chunk& page);
  arrow::Status write_dictionary(std::span<const std::string_view> values, Chunk& chunk);
  arrow::Status write_coded_texts(const arrow::Array& array, std::span<const int32_t> codes,
                                  size_t value_count, Chunk& chunk);
  arrow::Status write_plain_texts(const arrow::Array& array, const CodedTexts& texts, Chunk& chunk);
  arrow::Status write_flags(const arrow::BooleanArray& array, Chunk& chunk);
  template <typename ArrowArray>
  arrow::Status write_numbers(const arrow::Array& array, Chunk& chunk);
  template <typename EncodeValues>
  arrow::Status write_pages(const arrow::Array& array, parquet::Encoding::type encoding,
                            Chunk& chunk, EncodeValues&& encode_values);
  arrow::Status write_levels(const arrow::Array& array, const Chunk& chunk);
  PageCompression compression_of(parquet::Encoding::type encoding) const;
  parquet::Encoding::type number_encoding_of(arrow::Type::type type) const;
  /// What is in page_, as the file has it: a view of page_ or of compressed_.
  arrow::Result<std::span<const uint8_t>> packed_page(PageCompression compression);
  arrow::Status put_page(const PageHeader& page, std::span<const uint8_t> packed, Chunk& chunk);
  template <typename Value>
  arrow::Result<std::span<const Value>> dense_values(const arrow::Array& array,
                                                     const Value* values);
  template <typename Value>
  arrow::Status encode_values(std::span<const Value> values, parquet::Encoding::type encoding);
  template <typename Value>
  arrow::Status split_values(std::span<const Value> values);
  template <typename Value>
  arrow::Status delta_values(std::span<const Value> values);

  Options options_;
  GrowingBuffer page_;
  GrowingBuffer compressed_;
  GrowingBuffer dense_;
  std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> zstd_;
  std::vector<int32_t> levels_;
};

}  // namespace tapeworks
