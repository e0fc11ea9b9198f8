#include "storage/spill_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>
#include <zstd.h>

namespace tapeworks {
namespace {

constexpr std::string_view kMagic = "TWSPILL2";
/// Records are dense already; a higher level takes much longer and saves little.
constexpr int kZstdLevel = -5;
/// A block must become smaller than 2/3.
constexpr size_t kWorthwhileNumerator = 2;
constexpr size_t kWorthwhileDenominator = 3;

struct BlockHeader {
  uint32_t raw_bytes;
  uint32_t stored_bytes;
  uint64_t checksum;
};
static_assert(sizeof(BlockHeader) == 16);

/// Takes the bytes that are done off the front.
void take_off(std::span<iovec>& parts, size_t done) {
  while (!parts.empty() && done >= parts[0].iov_len) {
    done -= parts[0].iov_len;
    parts = parts.subspan(1);
  }
  if (done == 0) return;
  parts[0].iov_base = static_cast<std::byte*>(parts[0].iov_base) + done;
  parts[0].iov_len -= done;
}

int count_for_system(std::span<const iovec> parts) {
  return static_cast<int>(std::min<size_t>(parts.size(), IOV_MAX));
}

Status write_at(int descriptor, uint64_t offset, std::span<iovec> parts,
                const std::filesystem::path& path) {
  for (take_off(parts, 0); !parts.empty();) {
    const ssize_t written =
        ::pwritev(descriptor, parts.data(), count_for_system(parts), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      return io_error("{}: cannot write temporary data: {}; make room or choose another --temp-dir",
                      path.string(), std::strerror(errno));
    }
    take_off(parts, static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return {};
}

Status read_exactly(int descriptor, std::span<iovec> parts, uint64_t offset,
                    const std::filesystem::path& path) {
  for (take_off(parts, 0); !parts.empty();) {
    const ssize_t got =
        ::preadv(descriptor, parts.data(), count_for_system(parts), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      return io_error("{}: cannot read back temporary data at byte {}: {}", path.string(), offset,
                      got == 0 ? "the file is too short" : std::strerror(errno));
    }
    take_off(parts, static_cast<size_t>(got));
    offset += static_cast<uint64_t>(got);
  }
  return {};
}

/// Not to be written through: the system's structure has no constant form.
iovec to_iovec(SpillFile::Bytes bytes) {
  return {const_cast<std::byte*>(bytes.data()), bytes.size()};
}

uint64_t checksum_of(std::span<const SpillFile::Bytes> parts) {
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  for (const SpillFile::Bytes part : parts) XXH3_64bits_update(&state, part.data(), part.size());
  return XXH3_64bits_digest(&state);
}

}  // namespace

struct SpillBuffer::State {
  std::vector<std::byte> joined;
  std::vector<std::byte> compressed;
  std::vector<iovec> pieces;
  std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> compressor{ZSTD_createCCtx(), ZSTD_freeCCtx};
  std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> decompressor{ZSTD_createDCtx(), ZSTD_freeDCtx};

  /// The parts as one compressed piece; nothing where that gains too little.
  Result<std::optional<SpillFile::Bytes>> compress(std::span<const SpillFile::Bytes> parts,
                                                   size_t byte_count);
};

Result<std::optional<SpillFile::Bytes>> SpillBuffer::State::compress(
    std::span<const SpillFile::Bytes> parts, size_t byte_count) {
  joined.clear();
  for (const SpillFile::Bytes part : parts) joined.insert(joined.end(), part.begin(), part.end());
  compressed.resize(std::max(compressed.size(), ZSTD_compressBound(byte_count)));
  const size_t size = ZSTD_compressCCtx(compressor.get(), compressed.data(), compressed.size(),
                                        joined.data(), joined.size(), kZstdLevel);
  if (ZSTD_isError(size) != 0) return internal_error("{}", ZSTD_getErrorName(size));
  if (size * kWorthwhileDenominator >= byte_count * kWorthwhileNumerator) {
    return std::optional<SpillFile::Bytes>();
  }
  return std::optional(SpillFile::Bytes(compressed).first(size));
}

SpillBuffer::SpillBuffer() : state_(std::make_unique<State>()) {}

SpillBuffer::~SpillBuffer() = default;

SpillFile::SpillFile(std::filesystem::path path, int descriptor)
    : path_(std::move(path)), descriptor_(descriptor), shared_(std::make_unique<Shared>()) {
  shared_->end = kMagic.size();
}

SpillFile::SpillFile(SpillFile&& other) noexcept { *this = std::move(other); }

SpillFile& SpillFile::operator=(SpillFile&& other) noexcept {
  if (this != &other) {
    close_and_remove();
    path_ = std::move(other.path_);
    descriptor_ = std::exchange(other.descriptor_, -1);
    shared_ = std::move(other.shared_);
  }
  return *this;
}

SpillFile::~SpillFile() { close_and_remove(); }

void SpillFile::close_and_remove() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(path_.c_str());
  descriptor_ = -1;
}

Result<SpillFile> SpillFile::create(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    return io_error("{}: cannot create a temporary file: {}", path.string(), std::strerror(errno));
  }
  SpillFile file(path, descriptor);
  iovec magic = to_iovec(std::as_bytes(std::span(kMagic)));
  TW_TRY(write_at(descriptor, 0, std::span(&magic, 1), path));
  return file;
}

bool SpillFile::should_try_to_compress() {
  uint32_t untried = shared_->untried.load(std::memory_order_relaxed);
  while (untried > 0 &&
         !shared_->untried.compare_exchange_weak(untried, untried - 1, std::memory_order_relaxed)) {
  }
  return untried == 0;
}

Result<SpillBlock> SpillFile::append(std::span<const Bytes> parts, SpillBuffer& buffer) {
  size_t raw_bytes = 0;
  for (const Bytes part : parts) raw_bytes += part.size();
  if (raw_bytes > kBlockBytesMax) {
    return internal_error("a spill block of {} bytes is too large", raw_bytes);
  }
  std::optional<Bytes> compressed;
  if (should_try_to_compress()) {
    TW_ASSIGN(compressed, buffer.state_->compress(parts, raw_bytes));
    if (!compressed) shared_->untried.store(kUntriedBlocks, std::memory_order_relaxed);
  }
  const std::span<const Bytes> stored =
      compressed ? std::span<const Bytes>(&*compressed, 1) : parts;
  const size_t stored_bytes = compressed ? compressed->size() : raw_bytes;
  const BlockHeader header{static_cast<uint32_t>(raw_bytes), static_cast<uint32_t>(stored_bytes),
                           checksum_of(stored)};
  auto& pieces = buffer.state_->pieces;
  pieces.assign(1, to_iovec(std::as_bytes(std::span(&header, 1))));
  for (const Bytes part : stored) pieces.push_back(to_iovec(part));
  const uint64_t offset =
      shared_->end.fetch_add(sizeof header + stored_bytes, std::memory_order_relaxed);
  TW_TRY(write_at(descriptor_, offset, pieces, path_));
  return SpillBlock{offset, header.raw_bytes, header.stored_bytes};
}

Status SpillFile::read(const SpillBlock& block, SpillBuffer& buffer,
                       std::vector<std::byte>& block_bytes) const {
  const bool is_compressed = block.stored_bytes != block.raw_bytes;
  auto& stored = is_compressed ? buffer.state_->compressed : block_bytes;
  stored.resize(block.stored_bytes);
  BlockHeader header{};
  std::array pieces{iovec{&header, sizeof header}, iovec{stored.data(), stored.size()}};
  TW_TRY(read_exactly(descriptor_, pieces, block.offset, path_));
  const auto unpack = [&] {
    block_bytes.resize(block.raw_bytes);
    return ZSTD_decompressDCtx(buffer.state_->decompressor.get(), block_bytes.data(),
                               block_bytes.size(), stored.data(),
                               stored.size()) == block_bytes.size();
  };
  if (header.raw_bytes != block.raw_bytes || header.stored_bytes != block.stored_bytes ||
      XXH3_64bits(stored.data(), stored.size()) != header.checksum ||
      (is_compressed && !unpack())) {
    return io_error("{}: temporary data is damaged at byte {}; the disk may be failing",
                    path_.string(), block.offset);
  }
  return {};
}

}  // namespace tapeworks
