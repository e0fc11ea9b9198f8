#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"

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

 private:
  friend class SpillFile;
  struct State;
  std::unique_ptr<State> state_;
};

/// A temporary file of byte blocks, each checksummed (XXH3-64), and compressed (zstd, a fast level)
/// where that pays: a block that shrinks by less than a third stays as it is, and so do the next
/// kUntriedBlocks without being tried. Dense records shrink by an eighth, which costs three times
/// the CPU that writing and reading them takes (docs/benchmarks.md).
///
///   "TWSPILL2"
///   block := raw_bytes u32, stored_bytes u32, xxh3 of the stored bytes u64, stored bytes
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
  static constexpr uint32_t kUntriedBlocks = 31;
  using Bytes = std::span<const std::byte>;

  static Result<SpillFile> create(const std::filesystem::path& path);

  SpillFile(SpillFile&& other) noexcept;
  SpillFile& operator=(SpillFile&& other) noexcept;
  ~SpillFile();

  /// Appends one block of at most kBlockBytesMax bytes, given in parts.
  Result<SpillBlock> append(std::span<const Bytes> parts, SpillBuffer& buffer);

  /// Reads one block back into `block_bytes`, which gets its size.
  Status read(const SpillBlock& block, SpillBuffer& buffer,
              std::vector<std::byte>& block_bytes) const;

  uint64_t file_bytes() const { return shared_->end.load(std::memory_order_relaxed); }

 private:
  SpillFile(std::filesystem::path path, int descriptor);
  void close_and_remove();
  bool should_try_to_compress();

  std::filesystem::path path_;
  int descriptor_ = -1;
  struct Shared {
    std::atomic<uint64_t> end{0};      // where the next block goes
    std::atomic<uint32_t> untried{0};  // blocks that are still to be stored as they are
  };
  std::unique_ptr<Shared> shared_;
};

}  // namespace tapeworks
