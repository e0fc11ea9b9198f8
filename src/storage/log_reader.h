#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "base/result.h"
#include "storage/log_format.h"

namespace tapeworks {

/// Records that are missing: [first_missing_lsn, first_missing_lsn + missing_count).
struct LogHole {
  std::string segment;       ///< name of the file where reading stumbled
  uint64_t byte_offset = 0;  ///< in it; of an archived segment, in its content
  uint64_t lsn_before = 0;   ///< of the last intact record; 0: none was read
  uint64_t lsn_after = 0;    ///< of the next intact record
  uint64_t first_missing_lsn = 0;
  uint64_t missing_count = 0;
  bool recorded = false;  ///< a repair has written down already that they are lost
  std::string reason;
};

/// Nothing more to read now.
struct LogReadEnd {
  /// Damaged bytes follow, and nothing intact behind them: a torn tail. Otherwise empty.
  std::string torn_segment;
  uint64_t torn_offset = 0;
};

/// Reads a log in the order of the LSNs, over all its segments, plain and archived.
///
/// Never returns a record other than as it was appended, and none twice. What is damaged or missing
/// comes as LogHole, in its place, and reading goes on behind it.
///
/// Following a writer: pass its durable_lsn() as the limit. Up to there every record is in the
/// file,
///   so what is missing is missing. After LogReadEnd call next() again. Without a limit the tail of
///   a live segment may look torn for a moment.
/// Memory: one block (archived: a chunk of 1 MiB) and one record. There is no second way through
/// the
///   memory of the writer: what it has just written is in the page cache.
/// Errors: kIo; kCorrupt for a segment of another format version.
/// Threads: one; any number of readers beside one writer and one archiver.
class LogReader {
 public:
  using Step = std::variant<LogRecord, LogHole, LogReadEnd>;
  static constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

  /// Begins at the first record whose LSN is `from_lsn` or greater; 0 means the oldest one kept.
  /// Records from `from_lsn` on that are not kept any more come as a LogHole.
  static Result<LogReader> open(const std::filesystem::path& folder, uint64_t from_lsn = 0);

  LogReader(LogReader&& other) noexcept;
  LogReader& operator=(LogReader&&) = delete;
  ~LogReader();

  /// The next record, or hole, that is not above `limit_lsn`. The payload is valid until the next
  /// call. Start records are returned like others; lost records as LogHole.
  Result<Step> next(uint64_t limit_lsn = kNoLimit);

 private:
  class Impl;
  explicit LogReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tapeworks
