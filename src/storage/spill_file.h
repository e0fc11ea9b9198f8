#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "base/result.h"

namespace tapeworks {

/// Where a block of a SpillFile lies.
struct SpillBlock {
  uint64_t offset = 0;
  uint32_t raw_bytes = 0;
  uint32_t compressed_bytes = 0;
};

/// A temporary file of byte blocks, each compressed (zstd level 1) and checksummed (XXH3-64).
///
///   "TWSPILL1"
///   block := raw_bytes u32, compressed_bytes u32, xxh3 of the compressed bytes u64, bytes
///
/// Numbers are in the machine's byte order: the file does not outlive the process.
///
/// Ownership: owns the file and removes it when destroyed.
/// Threads: append from one at a time; read from any, also beside an append.
/// Failure: a failed write leaves the file unusable; kIo names it. A block that does not check is
/// kIo as well: the disk lost what we wrote a moment ago.
class SpillFile {
 public:
  static constexpr size_t kBlockBytesMax = size_t{64} * 1024 * 1024;

  static Result<SpillFile> create(const std::filesystem::path& path);

  SpillFile(SpillFile&& other) noexcept;
  SpillFile& operator=(SpillFile&& other) noexcept;
  ~SpillFile();

  /// Appends one block of at most kBlockBytesMax bytes.
  Result<SpillBlock> append(std::span<const std::byte> block);

  /// Reads one block back.
  Result<std::vector<std::byte>> read(const SpillBlock& block) const;

  uint64_t file_bytes() const { return file_bytes_; }

 private:
  SpillFile(std::filesystem::path path, int descriptor);
  void close_and_remove();

  std::filesystem::path path_;
  int descriptor_ = -1;
  uint64_t file_bytes_ = 0;
  std::vector<std::byte> scratch_;
};

}  // namespace tapeworks
