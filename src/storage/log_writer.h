#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "base/result.h"
#include "base/units.h"
#include "storage/log_file_operations.h"
#include "storage/log_format.h"

namespace tapeworks {

/// When records become durable.
enum class LogSync {
  kEvery,  ///< each record by a sync of its own; bound by the disk, often below 1,000/s
  kGroup,  ///< all that came within an interval together
  kNone,   ///< only when a segment is closed: survives a crash of the process, not of the machine
};

struct LogTimes {
  int64_t wall_ns = 0;
  int64_t monotonic_ns = 0;
};

struct LogWriterOptions {
  LogSync sync = LogSync::kGroup;
  /// kGroup and kNone write (and kGroup syncs) when the oldest waiting record is this old, or so
  /// many bytes wait. A longer interval saves syncs and lets a power cut take more.
  std::chrono::milliseconds sync_interval{10};
  uint64_t sync_bytes = 256 * kKiB;
  /// Memory for records that are not durable yet; a single larger record is taken when nothing else
  /// waits.
  uint64_t buffer_limit_bytes = 32 * kMiB;
  /// Fixed size of a segment; at least kSegmentBytesMin, at most kLogSegmentBytesMax.
  uint64_t segment_bytes = 64 * kMiB;
  /// The highest LSN that anything made from this log knows of: checkpoint, parts, files.
  uint64_t lsn_floor = 0;
  /// Called by the writer's thread when the disk has no room for a further segment, which is before
  /// any record of it: the writer then tries again, with a new file, until there is room or it is
  /// closed; records wait in the buffer. Null: no room is a failure like others.
  std::function<void()> on_no_space = nullptr;
  /// Clocks for the start record and the headers; null: those of the system.
  std::function<LogTimes()> now = nullptr;
  /// Null: the calls of the system. Must outlive the writer.
  LogFileOperations* operations = nullptr;

  static constexpr uint64_t kSegmentBytesMin = 64 * kKiB;
};

/// Appends records to the log in one folder. A thread of its own writes and syncs.
///
/// Durability: a record is durable when durable_lsn() has reached its LSN; from then on it survives
/// a
///   power cut (with LogSync::kNone: a crash of the process). Later records may survive as well.
/// Numbers: dense within one writer. The first one is greater than any in the log and than
///   options.lsn_floor; open() has written a start record there that says what came before.
/// Ownership: keeps no reference to what append() was given. Destruction closes like close().
/// Failure: the first failed write or sync is final: every later call returns that error, and
///   nothing is tried again, because the kernel may have dropped the pages. (A segment that cannot
///   be begun for lack of room is no such failure when on_no_space is set.) A new writer may be
///   opened; it begins a new segment.
/// Threads: any number. A second writer on the same folder is refused with kIo.
class LogWriter {
 public:
  /// Makes the folder if it is missing. Reads the newest segment to find the next LSN, removes
  /// files that were not finished, and begins a segment.
  static Result<LogWriter> open(const std::filesystem::path& folder, LogWriterOptions options = {});

  LogWriter(LogWriter&& other) noexcept;
  LogWriter& operator=(LogWriter&&) = delete;
  ~LogWriter();

  /// Appends if the buffer has room, and returns the LSN; nothing when it is full. Never waits for
  /// the disk. kInvalidArgument for a kind below kLogKindCallerMin or too large a payload.
  Result<std::optional<uint64_t>> try_append(const LogEntry& entry);

  /// The same, but waits for room up to `timeout`.
  Result<std::optional<uint64_t>> append(const LogEntry& entry, std::chrono::milliseconds timeout);

  /// Every record up to this LSN is durable. Never falls; readable after a failure.
  uint64_t durable_lsn() const;

  /// Waits until durable_lsn() >= `lsn`; false after `timeout`. The error of a failed writer when
  /// that record is not durable.
  Result<bool> wait_durable(uint64_t lsn, std::chrono::milliseconds timeout) const;

  /// The LSN that the next record will get.
  uint64_t end_lsn() const;

  /// The LSN of this writer's start record.
  uint64_t start_lsn() const;

  /// Memory in use for records that are not durable yet.
  uint64_t buffered_bytes() const;

  /// Commits now instead of at the next interval, and waits for everything appended so far.
  Status flush();

  /// From here on a disk without room for a further segment is a failure. Before an end that must
  /// not wait; close() does it too.
  void stop_waiting_for_space();

  /// Makes everything durable, ends the segment, stops the thread and gives the folder free for
  /// another writer, also after a failure. Later calls return the same answer. Nothing may be
  /// appended after it.
  Status close();

 private:
  class Impl;
  explicit LogWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tapeworks
