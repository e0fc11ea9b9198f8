#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/result.h"
#include "base/text_map.h"
#include "recorder/sink/checkpoint.h"
#include "recorder/sink/file_merge.h"
#include "recorder/sink/log_state.h"
#include "recorder/sink/part_folder.h"
#include "recorder/sink/recording_manifest.h"
#include "recorder/sink/retention.h"
#include "recorder/sink/row_buffer.h"
#include "recorder/sink/row_maker.h"
#include "recorder/sink/sink_options.h"
#include "storage/fast_file_reader.h"
#include "storage/log_lock.h"
#include "storage/log_reader.h"
#include "storage/parquet_stream_writer.h"

namespace tapeworks::recorder {

/// What a sink has done and holds, for status lines.
struct SinkStatus {
  uint64_t consumed_lsn = 0;
  uint64_t checkpoint_lsn = 0;  ///< durable: everything up to here is in parts or files
  uint64_t buffered_bytes = 0;
  uint64_t column_bytes = 0;  ///< of the memory pool: the part or the file that is being made
  uint64_t state_bytes = 0;   ///< about what LogState remembers; looked at once a second
  uint64_t open_partitions = 0;
  uint64_t parts = 0;
  uint64_t waiting_merges = 0;
  uint64_t published_files = 0;  ///< since this sink was opened
  uint64_t kept_files = 0;       ///< replay: not replaced, because what was made lacks more
  uint64_t set_aside_files = 0;  ///< published files that were damaged
  uint64_t evictions = 0;        ///< parts written early because memory was short
  RetentionCounts deleted;       ///< published hours that retention took
};

/// The one consumer of a log: takes its records strictly in the order of their LSNs and makes the
/// recording of them.
///
///   records -> rows (RowMaker) -> buffers, one a file -> parts -> the file, when its hour is over
///
/// Exactly once: the rows of a partition go into its parts and file in the order of their LSNs, so
///   one number a partition says what it has. After a crash the sink goes on from its checkpoint,
///   makes rows again, and skips those that their partition has.
/// Deterministic: when a file is closed, and so its revisions and bytes, follows from the records
///   alone. Parts do not: they follow from memory and restarts.
/// Memory: options.buffer_bytes of rows, the part being written (as columns, about 4 MiB), one
///   merge (FileMerge), and LogState; rows make room for the others within options.memory_bytes.
/// Visibility: nothing above the LSN of the last record given; give only what is durable.
/// Failure: after an error the sink must be destroyed; open() goes on from what is on disk.
/// Threads: one.
class Sink final : private RowTarget {
 public:
  /// Rows have at least so much of SinkOptions::memory_bytes.
  static constexpr uint64_t kRowBytesMin = 4 * kMiB;

  /// Makes the folder if it is missing, and takes over what an earlier sink left: finishes it or
  /// sets it aside. kIo when another sink works there. `pool` must outlive the sink.
  static Result<std::unique_ptr<Sink>> open(SinkOptions options, arrow::MemoryPool* pool);
  ~Sink() override;

  /// The LSN at which reading must begin.
  uint64_t next_lsn() const { return state_.lsn + 1; }
  /// The highest LSN that anything in the recording knows of; a new log must go on above it.
  uint64_t highest_known_lsn() const;
  /// A log may forget what is not above: it is durable in parts and files, and every file that was
  /// closed up to there is published.
  uint64_t releasable_lsn() const;
  /// Files that were closed and wait to be made.
  uint64_t waiting_merges() const { return merges_.size(); }

  /// For the replay of a log whose beginning is gone: forgets what its own records have said, and
  /// goes on from what all of them had left at the end of an hour. The next record is the first
  /// behind it.
  void adopt(LogState state);

  /// The next record. Those at or below the last one are ignored.
  Status consume(const LogRecord& record);
  /// Records that the log has lost, in their place.
  Status consume(const LogHole& hole);

  /// Does one step of what waits: joining parts, publishing, removing. False when nothing waits.
  /// Between calls of consume(), as time allows.
  Result<bool> work();

  /// For a disk that is short: makes parts of all rows and writes a checkpoint, so that the log may
  /// forget, and removes parts that are in published files without letting them linger. Changes no
  /// byte of what is published.
  Status save_space();

  /// Deletes the oldest published hour if the limits say so; true when there may be more to do.
  /// Never one that a record could still add to, or whose rows are not all published.
  Result<bool> delete_old(const RetentionLimits& limits);

  /// After kNoSpace, before the sink is destroyed: removes files that were begun. The log has all
  /// that is in them.
  Status discard_unfinished();

  /// Ends in order: does all that waits, makes all rows durable and writes the checkpoint. What the
  /// log has not closed stays open, unless this is a replay: then it is published as partial.
  Status finish();

  /// Files that begin before lack rows, because the log begins later. 0: it has all from the first.
  int64_t whole_from_ns() const { return state_.whole_from_ns; }

  /// Gaps of trades that may still be filled, the oldest first; of each of these venues at most
  /// `count_max`.
  std::vector<TradeGap> open_trade_gaps(const std::set<Venue>& venues, size_t count_max) const {
    return state_.open_trade_gaps(venues, count_max);
  }

  SinkStatus status() const;
  const RowCounts& counts() const { return maker_.counts(); }

 private:
  struct Partition {
    Partition(OpenPartition open_partition, ChunkPool& chunks)
        : open(std::move(open_partition)), buffer(open.table, chunks) {}
    OpenPartition open;
    RowBuffer buffer;
    uint64_t covered_lsn = 0;  ///< its rows up to here are in parts or in the file
  };
  /// A file that was closed. What its buffer held becomes a part when its turn comes, so that the
  /// end of an hour is no burst of syncs.
  struct PendingMerge {
    MergeJob job;
    RowBuffer rest;
  };
  struct Removal {
    std::string partition;
    uint64_t last_lsn = 0;
    int64_t due_ns = 0;
  };
  struct Snapshot {
    uint64_t lsn = 0;
    std::string bytes;
  };

  Sink(SinkOptions options, std::filesystem::path parts_dir, LogLock lock,
       std::optional<LogLock> recorder_lock, PartFolder parts, LogState state,
       arrow::MemoryPool* pool);

  // sink.cpp: records, rows and closing.
  Status take(TableKind table, const PartitionName& name, int64_t time_ns,
              std::span<const std::byte> row) override;
  Status end_symbol(const PartitionName& name) override;
  Result<Partition*> partition_for(TableKind table, const PartitionName& name, int64_t time_ns);
  Result<Partition*> add_partition(OpenPartition open);
  void begin_late();
  Status begin_record(uint64_t lsn, int64_t time_ns);
  Status end_record(uint64_t lsn);
  Status advance_time(int64_t time_ns, uint64_t lsn);
  void set_time_back(int64_t time_ns);
  Status close_due(uint64_t lsn);
  Status close_all(uint64_t lsn, bool as_cut);
  Status close(Partition& partition, uint64_t lsn, bool as_cut, bool& is_over);
  Status flush(Partition& partition);
  Status flush_rest(PendingMerge& merge);
  Status flush_rests_of(const std::string& partition);
  Status write_part(const std::string& partition, TableKind table, RowBuffer& rows);
  Status flush_old();
  Status flush_best();
  uint64_t row_limit_bytes() const;
  std::string gaps_of(const OpenPartition& partition) const;
  int64_t next_close_time(const OpenPartition& partition) const;

  // sink_checkpoint.cpp: going on after a restart.
  Status restore(Checkpoint checkpoint);
  Status find_orphans();
  Result<std::string> partition_of_parts(uint64_t hash);
  Result<std::optional<std::string>> find_partition(uint64_t hash);
  Status adopt_orphans(uint64_t lsn);
  Snapshot make_snapshot() const;
  uint64_t durable_rows_lsn() const;
  Status write_checkpoint(const Snapshot& snapshot);

  // sink_publish.cpp: from parts to files.
  Status begin_merge();
  Status begin_again_without_previous(const Error& error);
  void end_merge();
  Status publish(const FileMerge::Outcome& outcome);
  Result<std::optional<Certificate>> published(const std::string& partition);
  Status set_aside_published(const std::string& partition);
  Result<std::optional<uint32_t>> lost_revision(const std::string& partition);
  Status note_published(const Certificate& certificate);
  Status remove_due_parts();
  bool is_in_use(const std::string& partition) const;
  std::filesystem::path file_path(const std::string& partition) const;
  Status probe(std::string_view step) const {
    return options_.probe ? options_.probe(step) : Status();
  }

  SinkOptions options_;
  arrow::MemoryPool* pool_;
  std::filesystem::path parts_dir_;
  LogLock lock_;
  std::optional<LogLock> recorder_lock_;  ///< replay: keeps a recorder away meanwhile
  PartFolder parts_;
  RecordingManifest manifest_;
  Retention retention_;
  LogState state_;
  RowMaker maker_;
  ChunkPool chunks_;
  ParquetStreamWriter part_writer_;
  FastFileReader part_reader_;
  ParquetStreamWriter merge_writer_;

  std::map<std::string, std::unique_ptr<Partition>> partitions_;  ///< by path
  struct FoundPartition {
    int64_t begin_ns = 0;
    int64_t end_ns = 0;
    Partition* partition = nullptr;
  };
  /// Of the rows table: the partition that a symbol's last row went to. Emptied when one goes.
  TextMap<FoundPartition> recent_;
  std::string recent_key_;        ///< used again
  std::vector<Partition*> full_;  ///< got so many rows in this record that a part is due
  uint64_t current_lsn_ = 0;
  int64_t next_close_ns_ = 0;
  int64_t next_flush_check_ns_ = 0;
  int64_t next_snapshot_ns_ = 0;

  std::deque<PendingMerge> merges_;  ///< the first one is at work when merge_ is there
  std::optional<FileMerge> merge_;
  std::chrono::steady_clock::time_point next_heap_return_;
  std::deque<Removal> removals_;
  bool begins_late_ = false;                 ///< the first record given was not the log's first
  std::map<std::string, Certificate> made_;  ///< replay: what this sink published
  std::set<std::string> kept_;               ///< replay: what it left as it was
  std::set<std::string> lost_;  ///< published, damaged or gone, warned of and not replaced yet

  std::optional<Snapshot> snapshot_;
  uint64_t checkpoint_lsn_ = 0;
  std::map<std::string, uint64_t>
      orphans_;  ///< partitions with parts that nobody has asked for yet
  uint64_t orphans_until_lsn_ = 0;
  SinkStatus counts_;
};

}  // namespace tapeworks::recorder
