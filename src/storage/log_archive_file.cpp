#include "storage/log_archive_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include <unistd.h>
#include <zstd.h>

#include "storage/crc32c.h"

namespace tapeworks {
namespace {

/// Logs of exchanges become as small by it as by level 3, in two thirds of the time.
constexpr int kZstdLevel = 1;
constexpr uint32_t kSkippableMagic = 0x184d2a50;
constexpr size_t kChunkHeaderBytes = 40;
constexpr uint32_t kSkippableBytes = kChunkHeaderBytes - 8;
constexpr size_t kChecksummedBytes = kChunkHeaderBytes - 4;
constexpr uint64_t kBlocksPerChunk = kArchiveChunkBytes / kLogBlockBytes;
/// While looking for the next chunk behind damage.
constexpr size_t kSearchWindowBytes = 64 * kKiB;

struct ChunkHeader {
  uint64_t content_offset = 0;
  uint64_t content_bytes = 0;  ///< of the whole segment
  uint64_t first_lsn = 0;
  uint32_t compressed_bytes = 0;
};

std::array<std::byte, kChunkHeaderBytes> encode_chunk_header(const ChunkHeader& header) {
  std::array<std::byte, kChunkHeaderBytes> bytes{};
  store_little_endian(&bytes[0], kSkippableMagic);
  store_little_endian(&bytes[4], kSkippableBytes);
  store_little_endian(&bytes[8], header.content_offset);
  store_little_endian(&bytes[16], header.content_bytes);
  store_little_endian(&bytes[24], header.first_lsn);
  store_little_endian(&bytes[32], header.compressed_bytes);
  store_little_endian(&bytes[kChecksummedBytes], crc32c(std::span(bytes).first(kChecksummedBytes)));
  return bytes;
}

/// Only what can be the header of a chunk of this segment.
std::optional<ChunkHeader> parse_chunk_header(std::span<const std::byte> bytes,
                                              uint64_t first_lsn) {
  if (bytes.size() < kChunkHeaderBytes ||
      load_little_endian<uint32_t>(&bytes[0]) != kSkippableMagic ||
      load_little_endian<uint32_t>(&bytes[4]) != kSkippableBytes ||
      load_little_endian<uint32_t>(&bytes[kChecksummedBytes]) !=
          crc32c(bytes.first(kChecksummedBytes))) {
    return std::nullopt;
  }
  ChunkHeader header;
  header.content_offset = load_little_endian<uint64_t>(&bytes[8]);
  header.content_bytes = load_little_endian<uint64_t>(&bytes[16]);
  header.first_lsn = load_little_endian<uint64_t>(&bytes[24]);
  header.compressed_bytes = load_little_endian<uint32_t>(&bytes[32]);
  if (header.first_lsn != first_lsn || header.content_offset % kArchiveChunkBytes != 0 ||
      header.content_offset >= header.content_bytes ||
      header.content_bytes > kLogSegmentFileBytesMax ||
      header.compressed_bytes > ZSTD_COMPRESSBOUND(kArchiveChunkBytes)) {
    return std::nullopt;
  }
  return header;
}

/// As many bytes as there are, up to the size of `bytes`.
Result<size_t> read_at(const FileDescriptor& file, std::span<std::byte> bytes, uint64_t offset,
                       const std::filesystem::path& path) {
  size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = ::pread(file.get(), bytes.data() + filled, bytes.size() - filled,
                                static_cast<off_t>(offset + filled));
    if (got == 0) break;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error("read", path, errno);
    filled += static_cast<size_t>(got);
  }
  return filled;
}

class ArchivedSegmentBytes : public LogSegmentBytes {
 public:
  ArchivedSegmentBytes(FileDescriptor file, const LogSegmentFile& segment)
      : file_(std::move(file)), segment_(segment) {}

  /// Finds the chunks: from header to header, and by searching where one is damaged.
  Status find_chunks() {
    std::array<std::byte, kChunkHeaderBytes> bytes{};
    uint64_t offset = 0;
    while (true) {
      TW_ASSIGN(const size_t got, read_at(file_, bytes, offset, segment_.path));
      if (got == 0) return {};
      const auto header = parse_chunk_header(std::span(bytes).first(got), segment_.first_lsn);
      if (!header) {
        TW_ASSIGN(const auto next, search_header(offset + 1));
        if (!next) return {};
        offset = *next;
        continue;
      }
      content_bytes_ = std::max(content_bytes_, header->content_bytes);
      chunks_[header->content_offset / kArchiveChunkBytes] = {offset + kChunkHeaderBytes,
                                                              header->compressed_bytes};
      offset += kChunkHeaderBytes + header->compressed_bytes;
    }
  }

  Result<size_t> read_block(uint64_t index, std::span<std::byte> block) override {
    const uint64_t begin = index * kLogBlockBytes;
    // Without one intact chunk nobody knows how long the segment was: it is one damaged block.
    const uint64_t end = chunks_.empty() ? kLogBlockBytes : content_bytes_;
    if (begin >= end) return 0;
    const auto size = static_cast<size_t>(std::min<uint64_t>(end - begin, kLogBlockBytes));
    TW_TRY(load_chunk(index / kBlocksPerChunk));
    const uint64_t in_chunk = begin % kArchiveChunkBytes;
    const auto there =
        std::span<const std::byte>(chunk_).subspan(std::min<size_t>(in_chunk, chunk_.size()));
    const size_t copied = std::min(size, there.size());
    std::ranges::copy(there.first(copied), block.begin());
    std::ranges::fill(block.subspan(copied, size - copied), std::byte{0xff});
    return size;
  }

 private:
  struct Chunk {
    uint64_t file_offset = 0;
    uint32_t compressed_bytes = 0;
  };

  Result<std::optional<uint64_t>> search_header(uint64_t from) const {
    std::vector<std::byte> window(kSearchWindowBytes);
    while (true) {
      TW_ASSIGN(const size_t got, read_at(file_, window, from, segment_.path));
      if (got < kChunkHeaderBytes) return std::nullopt;
      const auto bytes = std::span<const std::byte>(window).first(got);
      for (size_t i = 0; i + kChunkHeaderBytes <= got; ++i) {
        if (parse_chunk_header(bytes.subspan(i), segment_.first_lsn)) return from + i;
      }
      from += got - kChunkHeaderBytes + 1;
    }
  }

  /// Leaves chunk_ empty when the chunk is not there or does not check.
  Status load_chunk(uint64_t index) {
    if (loaded_ == index) return {};
    chunk_.clear();
    loaded_ = index;
    const auto found = chunks_.find(index);
    if (found == chunks_.end()) return {};
    std::vector<std::byte> compressed(found->second.compressed_bytes);
    TW_ASSIGN(const size_t got,
              read_at(file_, compressed, found->second.file_offset, segment_.path));
    chunk_.resize(kArchiveChunkBytes);
    const size_t size = ZSTD_decompress(chunk_.data(), chunk_.size(), compressed.data(), got);
    const uint64_t begin = index * kArchiveChunkBytes;
    const uint64_t expected =
        std::min(content_bytes_ - std::min(content_bytes_, begin), kArchiveChunkBytes);
    chunk_.resize(ZSTD_isError(size) != 0 || size != expected ? 0 : size);
    return {};
  }

  FileDescriptor file_;
  LogSegmentFile segment_;
  uint64_t content_bytes_ = 0;
  std::map<uint64_t, Chunk> chunks_;
  std::vector<std::byte> chunk_;
  std::optional<uint64_t> loaded_;
};

/// The size of the content, found by reading: a plain segment knows it no better.
Result<uint64_t> count_content_bytes(LogSegmentBytes& bytes) {
  std::vector<std::byte> block(kLogBlockBytes);
  uint64_t total = 0;
  for (uint64_t index = 0;; ++index) {
    TW_ASSIGN(const size_t got, bytes.read_block(index, block));
    total += got;
    if (got < block.size()) return total;
  }
}

}  // namespace

Status write_archive(const LogSegmentFile& segment, const FileDescriptor& to,
                     const std::filesystem::path& to_path) {
  TW_ASSIGN(const auto bytes, open_segment_bytes(segment));
  TW_ASSIGN(const uint64_t content_bytes, count_content_bytes(*bytes));
  const std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> compressor(ZSTD_createCCtx(),
                                                                      ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(compressor.get(), ZSTD_c_compressionLevel, kZstdLevel);
  ZSTD_CCtx_setParameter(compressor.get(), ZSTD_c_checksumFlag, 1);
  std::vector<std::byte> content(kArchiveChunkBytes);
  std::vector<std::byte> compressed(ZSTD_compressBound(kArchiveChunkBytes));
  for (uint64_t offset = 0; offset < content_bytes; offset += kArchiveChunkBytes) {
    size_t filled = 0;
    for (uint64_t i = 0; i < kBlocksPerChunk; ++i) {
      TW_ASSIGN(const size_t got,
                bytes->read_block(offset / kLogBlockBytes + i,
                                  std::span(content).subspan(i * kLogBlockBytes, kLogBlockBytes)));
      filled += got;
      if (got < kLogBlockBytes) break;
    }
    const size_t size = ZSTD_compress2(compressor.get(), compressed.data(), compressed.size(),
                                       content.data(), filled);
    if (ZSTD_isError(size) != 0) {
      return internal_error("cannot compress {}: {}", segment.path.string(),
                            ZSTD_getErrorName(size));
    }
    const auto header = encode_chunk_header(
        {offset, content_bytes, segment.first_lsn, static_cast<uint32_t>(size)});
    TW_TRY(write_all(to, header, to_path));
    TW_TRY(write_all(to, std::span(compressed).first(size), to_path));
  }
  return {};
}

Result<std::unique_ptr<LogSegmentBytes>> open_archived_segment(FileDescriptor file,
                                                               const LogSegmentFile& segment) {
  auto bytes = std::make_unique<ArchivedSegmentBytes>(std::move(file), segment);
  TW_TRY(bytes->find_chunks());
  return bytes;
}

Result<bool> same_content(const LogSegmentFile& one, const LogSegmentFile& other) {
  TW_ASSIGN(const auto one_bytes, open_segment_bytes(one));
  TW_ASSIGN(const auto other_bytes, open_segment_bytes(other));
  std::vector<std::byte> one_block(kLogBlockBytes);
  std::vector<std::byte> other_block(kLogBlockBytes);
  for (uint64_t index = 0;; ++index) {
    TW_ASSIGN(const size_t one_size, one_bytes->read_block(index, one_block));
    TW_ASSIGN(const size_t other_size, other_bytes->read_block(index, other_block));
    if (one_size != other_size ||
        !std::equal(one_block.begin(), one_block.begin() + static_cast<std::ptrdiff_t>(one_size),
                    other_block.begin())) {
      return false;
    }
    if (one_size == 0) return true;
  }
}

}  // namespace tapeworks
