#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/result.h"
#include "recorder/sink/table_schema.h"
#include "storage/posix_file.h"

namespace tapeworks::recorder {

struct SnapshotOptions {
  std::filesystem::path output_dir;
  std::filesystem::path log_dir;      ///< empty: nothing above the checkpoint
  std::filesystem::path scratch_dir;  ///< for the rows of the log's tail
  uint64_t buffer_bytes = 0;          ///< of rows of the tail
};

/// A file with the rows of one table that count, which are those up to an LSN.
struct SnapshotFile {
  std::string path;
  uint64_t last_lsn = 0;
};

/// Everything that a recording holds of one table. A row is in exactly one of the files.
struct SnapshotTable {
  /// Published, and nothing more of their partition up to `checkpoint_lsn` is anywhere else.
  std::vector<SnapshotFile> published;
  /// Published, with parts: a recorder may replace the file by one that has these, so the limit
  /// counts.
  std::vector<SnapshotFile> growing;
  /// Paths stay valid as long as the snapshot, whatever the recorder removes.
  std::vector<SnapshotFile> parts;
  /// Rows above the checkpoint, made of the log.
  std::vector<SnapshotFile> tail;
};

/// What a recording says at one moment, taken while a recorder is at work: each row up to
/// `last_lsn` once, whether it is published, in a part, or in the log only.
///
/// Rows up to `checkpoint_lsn` are in published files and parts, because that is what the sink's
/// checkpoint means; those above are made of the log, by the code that the sink uses, from the
/// state that the checkpoint holds. What a recorder publishes or removes in between changes
/// neither, since a file only ever gets more rows at its end. The last records may not be durable
/// yet.
struct RecordingSnapshot {
  uint64_t checkpoint_lsn = 0;
  uint64_t last_lsn = 0;
  uint64_t tail_rows = 0;
  uint64_t lost_records = 0;  ///< of the tail
  std::array<SnapshotTable, kTableKinds.size()> tables;
  std::vector<FileDescriptor> held;  ///< the parts; their paths go through these

  SnapshotTable& of(TableKind table) { return tables[static_cast<size_t>(table)]; }
  const SnapshotTable& of(TableKind table) const { return tables[static_cast<size_t>(table)]; }
};

/// Changes nothing in the recording. Memory: 100 bytes a published file, `buffer_bytes`, one row
/// group of the tail. One descriptor a part. Errors: kInvalidArgument for what is no recording;
/// kCorrupt; kIo, also when a recorder changed too much too often meanwhile.
Result<RecordingSnapshot> take_recording_snapshot(const SnapshotOptions& options,
                                                  arrow::MemoryPool* pool);

}  // namespace tapeworks::recorder
