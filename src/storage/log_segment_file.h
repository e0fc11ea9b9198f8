#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "storage/log_format.h"

namespace tapeworks {

/// One file of a log.
struct LogSegmentFile {
  std::filesystem::path path;
  uint64_t first_lsn = 0;
  bool archived = false;

  std::string name() const { return path.filename().string(); }
};

/// The segments of a log in the order of their LSNs. Where both forms of one segment exist (a crash
/// while archiving), the plain one. kInvalidArgument when there is no such folder.
Result<std::vector<LogSegmentFile>> list_log_segments(const std::filesystem::path& folder);

/// The lowest LSN that a log holds, by the names of its files; nothing for an empty one.
Result<std::optional<uint64_t>> first_lsn_of_log(const std::filesystem::path& folder);

/// The bytes of one segment, plain or archived, in blocks of kLogBlockBytes. Threads: one.
class LogSegmentBytes {
 public:
  virtual ~LogSegmentBytes() = default;

  /// Block `index` from its beginning into `block` (kLogBlockBytes); returns how many bytes there
  /// are, fewer than a block at the end and 0 behind it. Bytes that the disk or a damaged archive
  /// do not give are ff, which is never an intact fragment. kCancelled after a signal, where the
  /// disk does not give them.
  virtual Result<size_t> read_block(uint64_t index, std::span<std::byte> block) = 0;
};

/// kNotFound when the file is gone; it may stand there in its other form.
Result<std::unique_ptr<LogSegmentBytes>> open_segment_bytes(const LogSegmentFile& file);

}  // namespace tapeworks
