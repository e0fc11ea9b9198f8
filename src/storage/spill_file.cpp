#include "storage/spill_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>
#include <zstd.h>

namespace tapeworks {
namespace {

constexpr std::string_view kMagic = "TWSPILL3";
/// Records are dense already; a higher level takes much longer and saves little.
constexpr int kZstdLevel = -5;
/// Of a decompressor.
constexpr uint64_t kContextBytes = uint64_t{128} * 1024;
/// A block must become smaller than 2/3.
constexpr size_t kWorthwhileNumerator = 2;
constexpr size_t kWorthwhileDenominator = 3;

struct BlockHeader {
  uint32_t raw_bytes;
  uint32_t stored_bytes;
  uint64_t checksum;
};
static_assert(sizeof(BlockHeader) == 16);

/// What a block takes in the file.
size_t padded_bytes(size_t stored_bytes) {
  constexpr size_t kAlignment = SpillFile::kBlockAlignmentBytes;
  return (sizeof(BlockHeader) + stored_bytes + kAlignment - 1) / kAlignment * kAlignment;
}

/// Bytes that begin on a page, as reads and writes past the page cache want them.
class AlignedBytes {
 public:
  /// What was there is lost when it has to grow.
  std::span<std::byte> room(size_t byte_count) {
    if (byte_count > bytes_.size()) {
      bytes_ = {};
      memory_.reset(static_cast<std::byte*>(
          ::operator new(byte_count, std::align_val_t{SpillFile::kBlockAlignmentBytes})));
      bytes_ = {memory_.get(), byte_count};
    }
    return bytes_.first(byte_count);
  }

 private:
  struct Free {
    void operator()(std::byte* bytes) const {
      ::operator delete(bytes, std::align_val_t{SpillFile::kBlockAlignmentBytes});
    }
  };
  std::unique_ptr<std::byte, Free> memory_;
  std::span<std::byte> bytes_;
};

/// The file system takes no such reads and writes after all.
bool stop_bypassing_cache(const FileDescriptor& file) {
#ifdef O_DIRECT
  const int flags = ::fcntl(file.get(), F_GETFL);
  return flags >= 0 && (flags & O_DIRECT) != 0 &&
         ::fcntl(file.get(), F_SETFL, flags & ~O_DIRECT) == 0;
#else
  (void)file;
  return false;
#endif
}

Status write_at(const FileDescriptor& file, uint64_t offset, std::span<const std::byte> bytes,
                const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t written =
        ::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EINVAL && stop_bypassing_cache(file)) continue;
    if (written < 0) {
      return io_error("{}: cannot write temporary data: {}; make room or choose another --temp-dir",
                      path.string(), std::strerror(errno));
    }
    bytes = bytes.subspan(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return {};
}

Status read_exactly(const FileDescriptor& file, std::span<std::byte> bytes, uint64_t offset,
                    const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t got = ::pread(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EINVAL && stop_bypassing_cache(file)) continue;
    if (got <= 0) {
      return io_error("{}: cannot read back temporary data at byte {}: {}", path.string(), offset,
                      got == 0 ? "the file is too short" : std::strerror(errno));
    }
    bytes = bytes.subspan(static_cast<size_t>(got));
    offset += static_cast<uint64_t>(got);
  }
  return {};
}

/// Opens the file a second time, for reads and writes past the page cache if it can be.
Result<FileDescriptor> open_direct(const std::filesystem::path& path) {
#ifdef O_DIRECT
  if (auto direct = open_file(path, O_RDWR | O_DIRECT)) return direct;
#endif
  return open_file(path, O_RDWR);
}

}  // namespace

struct SpillBuffer::State {
  AlignedBytes block;            ///< as it is in the file
  std::vector<std::byte> plain;  ///< of a compressed block
  // Made when they are needed.
  std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> compressor{nullptr, ZSTD_freeCCtx};
  std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> decompressor{nullptr, ZSTD_freeDCtx};

  /// Puts the parts compressed behind the block's header; returns how many bytes, or 0 where that
  /// gains too little.
  Result<size_t> compress(std::span<const SpillFile::Bytes> parts, size_t byte_count);
  /// Likewise as they are.
  void copy(std::span<const SpillFile::Bytes> parts, size_t byte_count);
};

Result<size_t> SpillBuffer::State::compress(std::span<const SpillFile::Bytes> parts,
                                            size_t byte_count) {
  if (compressor == nullptr) compressor.reset(ZSTD_createCCtx());
  plain.clear();
  for (const SpillFile::Bytes part : parts) plain.insert(plain.end(), part.begin(), part.end());
  const auto out =
      block.room(padded_bytes(ZSTD_compressBound(byte_count))).subspan(sizeof(BlockHeader));
  const size_t size = ZSTD_compressCCtx(compressor.get(), out.data(), out.size(), plain.data(),
                                        plain.size(), kZstdLevel);
  if (ZSTD_isError(size) != 0) return internal_error("{}", ZSTD_getErrorName(size));
  return size * kWorthwhileDenominator < byte_count * kWorthwhileNumerator ? size : 0;
}

void SpillBuffer::State::copy(std::span<const SpillFile::Bytes> parts, size_t byte_count) {
  auto out = block.room(padded_bytes(byte_count)).subspan(sizeof(BlockHeader));
  for (const SpillFile::Bytes part : parts) {
    std::ranges::copy(part, out.begin());
    out = out.subspan(part.size());
  }
}

SpillBuffer::SpillBuffer() : state_(std::make_unique<State>()) {}

SpillBuffer::~SpillBuffer() = default;

uint64_t SpillBuffer::bytes_for(const SpillBlock& block) {
  const bool is_compressed = block.stored_bytes != block.raw_bytes;
  return padded_bytes(block.stored_bytes) + (is_compressed ? kContextBytes + block.raw_bytes : 0);
}

SpillFile::SpillFile(std::filesystem::path path, FileDescriptor file)
    : path_(std::move(path)), cached_(std::move(file)), shared_(std::make_unique<Shared>()) {
  shared_->end = kBlockAlignmentBytes;
}

SpillFile::SpillFile(SpillFile&& other) noexcept { *this = std::move(other); }

SpillFile& SpillFile::operator=(SpillFile&& other) noexcept {
  if (this != &other) {
    close_and_remove();
    path_ = std::move(other.path_);
    other.path_.clear();
    cached_ = std::move(other.cached_);
    direct_ = std::move(other.direct_);
    cached_bytes_max_ = other.cached_bytes_max_;
    shared_ = std::move(other.shared_);
  }
  return *this;
}

SpillFile::~SpillFile() { close_and_remove(); }

void SpillFile::close_and_remove() {
  if (path_.empty()) return;
  ::unlink(path_.c_str());
  path_.clear();
}

Result<SpillFile> SpillFile::create(const std::filesystem::path& path, uint64_t cached_bytes_max) {
  FileDescriptor created(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (created.get() < 0) {
    return io_error("{}: cannot create a temporary file: {}", path.string(), std::strerror(errno));
  }
  SpillFile file(path, std::move(created));
  file.cached_bytes_max_ = cached_bytes_max;
  TW_ASSIGN(file.direct_, open_direct(path));
  AlignedBytes first;
  const auto bytes = first.room(kBlockAlignmentBytes);
  std::ranges::fill(bytes, std::byte{0});
  std::ranges::copy(std::as_bytes(std::span(kMagic)), bytes.begin());
  TW_TRY(write_at(file.cached_, 0, bytes, path));
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
  SpillBuffer::State& state = *buffer.state_;
  size_t stored_bytes = 0;
  if (should_try_to_compress()) {
    TW_ASSIGN(stored_bytes, state.compress(parts, raw_bytes));
    if (stored_bytes == 0) shared_->untried.store(kUntriedBlocks, std::memory_order_relaxed);
  }
  if (stored_bytes == 0) {
    state.copy(parts, raw_bytes);
    stored_bytes = raw_bytes;
  }
  const auto block = state.block.room(padded_bytes(stored_bytes));
  const auto body = block.subspan(sizeof(BlockHeader));
  const BlockHeader header{static_cast<uint32_t>(raw_bytes), static_cast<uint32_t>(stored_bytes),
                           XXH3_64bits(body.data(), stored_bytes)};
  std::memcpy(block.data(), &header, sizeof header);
  std::ranges::fill(body.subspan(stored_bytes), std::byte{0});
  const uint64_t offset = shared_->end.fetch_add(block.size(), std::memory_order_relaxed);
  TW_TRY(write_at(file_at(offset), offset, block, path_));
  return SpillBlock{offset, header.raw_bytes, header.stored_bytes};
}

Result<SpillFile::Bytes> SpillFile::read(const SpillBlock& block, SpillBuffer& buffer) const {
  SpillBuffer::State& state = *buffer.state_;
  const auto bytes = state.block.room(padded_bytes(block.stored_bytes));
  TW_TRY(read_exactly(file_at(block.offset), bytes, block.offset, path_));
  BlockHeader header{};
  std::memcpy(&header, bytes.data(), sizeof header);
  const Bytes body = bytes.subspan(sizeof header, block.stored_bytes);
  const bool is_compressed = block.stored_bytes != block.raw_bytes;
  const auto unpack = [&] {
    if (state.decompressor == nullptr) state.decompressor.reset(ZSTD_createDCtx());
    state.plain.resize(block.raw_bytes);
    return ZSTD_decompressDCtx(state.decompressor.get(), state.plain.data(), state.plain.size(),
                               body.data(), body.size()) == state.plain.size();
  };
  if (header.raw_bytes != block.raw_bytes || header.stored_bytes != block.stored_bytes ||
      XXH3_64bits(body.data(), body.size()) != header.checksum || (is_compressed && !unpack())) {
    return io_error("{}: temporary data is damaged at byte {}; the disk may be failing",
                    path_.string(), block.offset);
  }
  return is_compressed ? Bytes(state.plain) : body;
}

}  // namespace tapeworks
