#include "recorder/sink/log_tail.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

#include <arrow/table.h>
#include <fmt/format.h>

#include "base/interrupt.h"
#include "recorder/sink/row_buffer.h"
#include "recorder/sink/row_maker.h"
#include "storage/log_reader.h"
#include "storage/parquet_stream_writer.h"
#include "storage/posix_file.h"

namespace tapeworks::recorder {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kRecordsPerCheck = 1024;
constexpr size_t kRowGroupRows = 65'536;

/// Takes rows of all tables, each into a file of its own.
class TailFiles final : public RowTarget {
 public:
  TailFiles(const LogTailOptions& options, arrow::MemoryPool* pool)
      : options_(options), pool_(pool) {}

  Status take(TableKind table, const PartitionName&, int64_t time_ns,
              std::span<const std::byte> row) override {
    auto& file = files_[table];
    if (!file) file = std::make_unique<File>(table, chunks_, pool_);
    file->rows.append(row, lsn, time_ns);
    ++tail.row_count;
    if (file->rows.row_count() < kRowGroupRows && chunks_.used_bytes() <= options_.buffer_bytes) {
      return {};
    }
    return write_out(table, *file);
  }

  /// The symbol's file would be published; its rows count all the same.
  Status end_symbol(const PartitionName&) override { return {}; }

  Status finish() {
    for (const auto& [table, file] : files_) {
      TW_TRY(write_out(table, *file));
      TW_ASSIGN(const WrittenFile written, file->writer.finish({}));
      static_cast<void>(written);
    }
    return {};
  }

  uint64_t lsn = 0;  ///< of the record at hand
  LogTail tail;

 private:
  struct File {
    File(TableKind table, ChunkPool& chunks, arrow::MemoryPool* pool)
        : rows(table, chunks), writer(pool, PagePacking::kFast) {}
    RowBuffer rows;
    ParquetStreamWriter writer;
  };

  Status write_out(TableKind table, File& file) {
    if (file.rows.empty()) return {};
    if (!tail.files.contains(table)) {
      const fs::path path =
          options_.scratch_dir / fmt::format("tail{}.parquet", static_cast<int>(table));
      TW_TRY(remove_file(path));  // of an attempt before
      TW_TRY(file.writer.open(path, arrow_schema_of(table)));
      tail.files[table] = path;
    }
    TW_ASSIGN(const auto columns, file.rows.to_table(pool_));
    file.rows.clear();
    return file.writer.append_row_group(*columns);
  }

  const LogTailOptions& options_;
  arrow::MemoryPool* pool_;
  ChunkPool chunks_;
  std::map<TableKind, std::unique_ptr<File>> files_;
};

}  // namespace

Result<std::optional<LogTail>> read_log_tail(const LogTailOptions& options, LogState state,
                                             arrow::MemoryPool* pool) {
  TW_ASSIGN(LogReader reader, LogReader::open(options.log_dir, options.after_lsn + 1));
  TailFiles target(options, pool);
  RowMaker maker(state, target);
  for (uint64_t count = 0;; ++count) {
    if (count % kRecordsPerCheck == 0) TW_TRY(check_interrupt());
    TW_ASSIGN(const LogReader::Step step, reader.next());
    if (std::holds_alternative<LogReadEnd>(step)) break;
    if (const auto* const hole = std::get_if<LogHole>(&step)) {
      if (!hole->recorded && !options.accepts_holes) return std::nullopt;
      target.lsn = hole->first_missing_lsn + hole->missing_count - 1;
      TW_TRY(maker.take(*hole));
      target.tail.lost_records += hole->missing_count;
      state.lsn = target.lsn;
      continue;
    }
    const auto& record = std::get<LogRecord>(step);
    target.lsn = record.lsn;
    state.log_time_ns = std::max(state.log_time_ns, record.wall_time_ns);
    TW_TRY(maker.take(record));
    state.lsn = record.lsn;
    target.tail.last_lsn = record.lsn;
  }
  TW_TRY(target.finish());
  return std::move(target.tail);
}

}  // namespace tapeworks::recorder
