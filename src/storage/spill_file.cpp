#include "storage/spill_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

namespace tapeworks {
namespace {

constexpr std::string_view kMagic = "TWSPILL2";
/// Records are dense already; a higher level takes much longer and saves little.
constexpr int kZstdLevel = -5;
constexpr size_t kWorthwhileShare = 16;

struct BlockHeader {
  uint32_t raw_bytes;
  uint32_t stored_bytes;
  uint64_t checksum;
};
static_assert(sizeof(BlockHeader) == 16);

Status write_at(int descriptor, uint64_t offset, std::span<const std::byte> bytes,
                const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t written =
        ::pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      return io_error("{}: cannot write temporary data: {}; make room or choose another --temp-dir",
                      path.string(), std::strerror(errno));
    }
    bytes = bytes.subspan(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return {};
}

Status read_exactly(int descriptor, std::span<std::byte> bytes, uint64_t offset,
                    const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t got = ::pread(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      return io_error("{}: cannot read back temporary data at byte {}: {}", path.string(), offset,
                      got == 0 ? "the file is too short" : std::strerror(errno));
    }
    bytes = bytes.subspan(static_cast<size_t>(got));
    offset += static_cast<uint64_t>(got);
  }
  return {};
}

}  // namespace

struct SpillBuffer::State {
  std::vector<std::byte> stored;
  std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> compressor{ZSTD_createCCtx(), ZSTD_freeCCtx};
  std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> decompressor{ZSTD_createDCtx(), ZSTD_freeDCtx};
};

SpillBuffer::SpillBuffer() : state_(std::make_unique<State>()) {}

SpillBuffer::~SpillBuffer() = default;

SpillFile::SpillFile(std::filesystem::path path, int descriptor)
    : path_(std::move(path)),
      descriptor_(descriptor),
      end_(std::make_unique<std::atomic<uint64_t>>(kMagic.size())) {}

SpillFile::SpillFile(SpillFile&& other) noexcept { *this = std::move(other); }

SpillFile& SpillFile::operator=(SpillFile&& other) noexcept {
  if (this != &other) {
    close_and_remove();
    path_ = std::move(other.path_);
    descriptor_ = std::exchange(other.descriptor_, -1);
    end_ = std::move(other.end_);
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
  TW_TRY(write_at(descriptor, 0, std::as_bytes(std::span(kMagic)), path));
  return file;
}

Result<SpillBlock> SpillFile::append(std::span<const std::byte> block, SpillBuffer& buffer) {
  if (block.size() > kBlockBytesMax) {
    return internal_error("a spill block of {} bytes is too large", block.size());
  }
  auto& stored = buffer.state_->stored;
  stored.resize(std::max(stored.size(), sizeof(BlockHeader) + ZSTD_compressBound(block.size())));
  const std::span<std::byte> body = std::span(stored).subspan(sizeof(BlockHeader));
  size_t stored_bytes = ZSTD_compressCCtx(buffer.state_->compressor.get(), body.data(), body.size(),
                                          block.data(), block.size(), kZstdLevel);
  if (ZSTD_isError(stored_bytes) != 0) return internal_error("{}", ZSTD_getErrorName(stored_bytes));
  if (stored_bytes + block.size() / kWorthwhileShare >= block.size()) {
    std::ranges::copy(block, body.begin());
    stored_bytes = block.size();
  }
  const BlockHeader header{static_cast<uint32_t>(block.size()), static_cast<uint32_t>(stored_bytes),
                           XXH3_64bits(body.data(), stored_bytes)};
  std::memcpy(stored.data(), &header, sizeof header);
  const auto bytes = std::span<const std::byte>(stored).first(sizeof header + stored_bytes);
  const uint64_t offset = end_->fetch_add(bytes.size(), std::memory_order_relaxed);
  TW_TRY(write_at(descriptor_, offset, bytes, path_));
  return SpillBlock{offset, header.raw_bytes, header.stored_bytes};
}

Status SpillFile::read(const SpillBlock& block, SpillBuffer& buffer,
                       std::vector<std::byte>& block_bytes) const {
  auto& stored = buffer.state_->stored;
  const size_t size = sizeof(BlockHeader) + block.stored_bytes;
  stored.resize(std::max(stored.size(), size));
  TW_TRY(read_exactly(descriptor_, std::span(stored).first(size), block.offset, path_));
  BlockHeader header{};
  std::memcpy(&header, stored.data(), sizeof header);
  const auto body = std::span<const std::byte>(stored).subspan(sizeof header, block.stored_bytes);
  block_bytes.resize(block.raw_bytes);
  const auto unpack = [&] {
    if (block.stored_bytes != block.raw_bytes) {
      return ZSTD_decompressDCtx(buffer.state_->decompressor.get(), block_bytes.data(),
                                 block_bytes.size(), body.data(),
                                 body.size()) == block_bytes.size();
    }
    std::ranges::copy(body, block_bytes.begin());
    return true;
  };
  if (header.raw_bytes != block.raw_bytes || header.stored_bytes != block.stored_bytes ||
      XXH3_64bits(body.data(), body.size()) != header.checksum || !unpack()) {
    return io_error("{}: temporary data is damaged at byte {}; the disk may be failing",
                    path_.string(), block.offset);
  }
  return {};
}

}  // namespace tapeworks
