#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "base/result.h"
#include "storage/log_file_operations.h"
#include "storage/log_format.h"

namespace tapeworks {

/// Writes one segment.
///
/// Durability: append() fills a buffer of kLogWriteBytes and writes it when it is full. Once sync()
///   has returned ok, every record appended before survives a power cut.
/// Ownership: owns the file; `operations` must outlive it. Destruction closes the file as it is, as
/// a
///   crash would leave it.
/// Failure: final; what reached the disk is unknown.
/// Threads: one.
class LogSegmentWriter {
 public:
  static constexpr uint64_t kLogWriteBytes = 256 * kKiB;

  /// Makes `path`, reserves `preallocated_bytes` (0: the file grows as it is written), and makes
  /// header and name durable.
  static Result<LogSegmentWriter> create(std::filesystem::path path, const LogSegmentHeader& header,
                                         uint64_t preallocated_bytes,
                                         LogFileOperations& operations);

  /// A record with this payload and an end mark behind it stay within `segment_bytes`.
  bool has_room(uint64_t payload_bytes, uint64_t segment_bytes) const;

  /// `header` is what encode_record_header() gives.
  Status append(std::span<const std::byte> header, std::span<const std::byte> payload);
  /// Hands everything to the kernel.
  Status write();
  Status sync();
  /// Writes the end mark, cuts what was reserved and not used, syncs and closes.
  Status close(uint64_t last_lsn);

  uint64_t record_count() const { return record_count_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  LogSegmentWriter(std::filesystem::path path, FileDescriptor file, uint64_t first_lsn,
                   LogFileOperations& operations);
  Status append_fragment(LogFragmentType type, std::span<const std::byte> data);
  Status put(std::span<const std::byte> bytes);

  std::filesystem::path path_;
  FileDescriptor file_;
  uint64_t first_lsn_ = 0;
  LogFileOperations* operations_;
  uint64_t written_bytes_ = 0;     ///< handed to the kernel
  std::vector<std::byte> buffer_;  ///< what comes after that
  std::vector<std::byte>
      joined_;  ///< header and payload of the record at hand, where they share a fragment
  uint64_t record_count_ = 0;
};

}  // namespace tapeworks
