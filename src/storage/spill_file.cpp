#include "storage/spill_file.h"

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

constexpr std::string_view kMagic = "TWSPILL1";
constexpr int kZstdLevel = 1;

struct BlockHeader {
  uint32_t raw_bytes;
  uint32_t compressed_bytes;
  uint64_t checksum;
};
static_assert(sizeof(BlockHeader) == 16);

Status write_all(int descriptor, std::span<const std::byte> bytes,
                 const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      return io_error("{}: cannot write temporary data: {}; make room or choose another --temp-dir",
                      path.string(), std::strerror(errno));
    }
    bytes = bytes.subspan(static_cast<size_t>(written));
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

SpillFile::SpillFile(std::filesystem::path path, int descriptor)
    : path_(std::move(path)), descriptor_(descriptor) {}

SpillFile::SpillFile(SpillFile&& other) noexcept { *this = std::move(other); }

SpillFile& SpillFile::operator=(SpillFile&& other) noexcept {
  if (this != &other) {
    close_and_remove();
    path_ = std::move(other.path_);
    descriptor_ = std::exchange(other.descriptor_, -1);
    file_bytes_ = other.file_bytes_;
    scratch_ = std::move(other.scratch_);
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
  TW_TRY(write_all(descriptor, std::as_bytes(std::span(kMagic)), path));
  file.file_bytes_ = kMagic.size();
  return file;
}

Result<SpillBlock> SpillFile::append(std::span<const std::byte> block) {
  if (block.size() > kBlockBytesMax) {
    return internal_error("a spill block of {} bytes is too large", block.size());
  }
  scratch_.resize(sizeof(BlockHeader) + ZSTD_compressBound(block.size()));
  const std::span<std::byte> body = std::span(scratch_).subspan(sizeof(BlockHeader));
  const size_t compressed =
      ZSTD_compress(body.data(), body.size(), block.data(), block.size(), kZstdLevel);
  if (ZSTD_isError(compressed) != 0) return internal_error("{}", ZSTD_getErrorName(compressed));
  const BlockHeader header{static_cast<uint32_t>(block.size()), static_cast<uint32_t>(compressed),
                           XXH3_64bits(body.data(), compressed)};
  std::memcpy(scratch_.data(), &header, sizeof header);
  const auto bytes = std::span(scratch_).first(sizeof header + compressed);
  TW_TRY(write_all(descriptor_, bytes, path_));
  const SpillBlock result{file_bytes_, header.raw_bytes, header.compressed_bytes};
  file_bytes_ += bytes.size();
  return result;
}

Result<std::vector<std::byte>> SpillFile::read(const SpillBlock& block) const {
  std::vector<std::byte> stored(sizeof(BlockHeader) + block.compressed_bytes);
  TW_TRY(read_exactly(descriptor_, stored, block.offset, path_));
  BlockHeader header{};
  std::memcpy(&header, stored.data(), sizeof header);
  const std::span<const std::byte> body = std::span(stored).subspan(sizeof header);
  std::vector<std::byte> raw(block.raw_bytes);
  if (header.raw_bytes != block.raw_bytes || header.compressed_bytes != block.compressed_bytes ||
      XXH3_64bits(body.data(), body.size()) != header.checksum ||
      ZSTD_decompress(raw.data(), raw.size(), body.data(), body.size()) != raw.size()) {
    return io_error("{}: temporary data is damaged at byte {}; the disk may be failing",
                    path_.string(), block.offset);
  }
  return raw;
}

}  // namespace tapeworks
