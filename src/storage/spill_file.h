#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "storage/posix_file.h"

namespace tapeworks {

/// Where a block of a SpillFile lies.
struct SpillBlock {
  uint64_t offset = 0;
  uint32_t raw_bytes = 0;
  uint32_t stored_bytes = 0;  ///< equal to raw_bytes where compressing gained nothing
};

/// What writing or reading blocks needs in one thread; kept from block to block.
class SpillBuffer {
 public:
  SpillBuffer();
  ~SpillBuffer();

  /// The memory of one that has read this block.
  static uint64_t bytes_for(const SpillBlock& block);

 private:
  friend class SpillFile;
  struct State;
  std::unique_ptr<State> state_;
};

/// A temporary file of byte blocks, each checksummed (XXH3-64), and compressed (zstd, a fast level)
/// where that pays: a block that shrinks by less than a third stays as it is, and so do the next
/// kUntriedBlocks without being tried. Dense records shrink by an eighth, which costs three times
/// the CPU that writing and reading them takes (docs/tuning.md).
///
/// The first kCachedBytesMax go through the page cache, what follows past it where the file system
/// can (O_DIRECT): pages that are touched once and thrown away cost more CPU than they save time.
///
///   "TWSPILL3", zeros up to kBlockAlignmentBytes
///   block := raw_bytes u32, stored_bytes u32, xxh3 of the stored bytes u64, stored bytes,
///            zeros up to a multiple of kBlockAlignmentBytes
///
/// Numbers are in the machine's byte order: the file does not outlive the process.
///
/// Ownership: owns the file and removes it when destroyed.
/// Threads: append and read from any, each with a SpillBuffer of its own.
/// Failure: a failed write leaves the file unusable; kIo names it. A block that does not check is
/// kIo as well: the disk lost what we wrote a moment ago.
class SpillFile {
 public:
  static constexpr size_t kBlockBytesMax = size_t{64} * 1024 * 1024;
  static constexpr size_t kBlockAlignmentBytes = 4096;
  static constexpr uint64_t kCachedBytesMax = uint64_t{1} << 30;
  static constexpr uint32_t kUntriedBlocks = 31;
  using Bytes = std::span<const std::byte>;

  static Result<SpillFile> create(const std::filesystem::path& path,
                                  uint64_t cached_bytes_max = kCachedBytesMax);

  SpillFile(SpillFile&& other) noexcept;
  SpillFile& operator=(SpillFile&& other) noexcept;
  ~SpillFile();

  /// Appends one block of at most kBlockBytesMax bytes, given in parts.
  Result<SpillBlock> append(std::span<const Bytes> parts, SpillBuffer& buffer);

  /// Reads one block back. The bytes are the buffer's, until it is used again.
  Result<Bytes> read(const SpillBlock& block, SpillBuffer& buffer) const;

  uint64_t file_bytes() const { return shared_->end.load(std::memory_order_relaxed); }

 private:
  SpillFile(std::filesystem::path path, FileDescriptor file);
  const FileDescriptor& file_at(uint64_t offset) const {
    return offset < cached_bytes_max_ ? cached_ : direct_;
  }
  void close_and_remove();
  bool should_try_to_compress();

  std::filesystem::path path_;  // empty when moved from
  FileDescriptor cached_;
  FileDescriptor direct_;  // the same file
  uint64_t cached_bytes_max_ = kCachedBytesMax;
  struct Shared {
    std::atomic<uint64_t> end{0};      // where the next block goes
    std::atomic<uint32_t> untried{0};  // blocks that are still to be stored as they are
  };
  std::unique_ptr<Shared> shared_;
};

}  // namespace tapeworks
