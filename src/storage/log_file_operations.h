#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "base/result.h"
#include "storage/posix_file.h"

namespace tapeworks {

/// The calls by which the log changes files. A test replaces them to make one fail, or to see what
/// a power cut at any moment would leave. Threads: one writer calls them from one thread at a time.
class LogFileOperations {
 public:
  virtual ~LogFileOperations() = default;

  /// The calls of the system.
  static LogFileOperations& system();

  /// A new file; one that is there already is an error.
  virtual Result<FileDescriptor> create(const std::filesystem::path& path);
  /// Gives a new file its full size, filled with zeros. A file system that cannot do that ahead is
  /// left alone: the file then grows as it is written.
  virtual Status preallocate(const FileDescriptor& file, uint64_t byte_count,
                             const std::filesystem::path& path);
  /// Writes all of `bytes`.
  virtual Status write_at(const FileDescriptor& file, std::span<const std::byte> bytes,
                          uint64_t offset, const std::filesystem::path& path);
  virtual Status truncate(const FileDescriptor& file, uint64_t byte_count,
                          const std::filesystem::path& path);
  virtual Status sync(const FileDescriptor& file, const std::filesystem::path& path);
  virtual Status sync_folder(const std::filesystem::path& folder);
  /// The one system call below write_at(): at most bytes.size(), -1 with errno like pwrite.
  virtual ssize_t write_some(const FileDescriptor& file, std::span<const std::byte> bytes,
                             uint64_t offset);
};

}  // namespace tapeworks
