#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include <arrow/type_fwd.h>

#include "base/result.h"
#include "recorder/sink/recording_snapshot.h"
#include "storage/database_connection.h"

namespace tapeworks {

struct RecordingQueryOptions {
  std::string library;  ///< DuckDB's, a path or a name that the system's loader finds
  std::filesystem::path scratch_dir;
  uint64_t memory_bytes = 0;  ///< for DuckDB; beyond it spills to scratch_dir
  uint64_t answer_bytes_max = 0;
  size_t thread_count = 1;
};

/// SQL over a snapshot of a recording, by DuckDB. docs/commands/sql.md lists the views.
///
/// Ownership: the snapshot must outlive it, and it the answers. Threads: one.
class RecordingQuery {
 public:
  /// kIo when DuckDB cannot be loaded.
  static Result<std::unique_ptr<RecordingQuery>> open(const recorder::RecordingSnapshot& snapshot,
                                                      RecordingQueryOptions options);

  /// The answer to one query, in types that print_table() takes: times and nested values as text,
  /// decimals and 128-bit integers as double. kInvalidArgument for SQL that is wrong; kMemoryBudget
  /// for an answer above answer_bytes_max.
  Result<std::shared_ptr<arrow::Table>> run(const std::string& sql);

 private:
  RecordingQuery(RecordingQueryOptions options, std::unique_ptr<DatabaseConnection> connection)
      : options_(std::move(options)), connection_(std::move(connection)) {}

  Status execute(const std::string& sql);
  Status set_up(const recorder::RecordingSnapshot& snapshot);
  Status make_view(const recorder::RecordingSnapshot& snapshot, recorder::TableKind table,
                   const std::string& name);

  RecordingQueryOptions options_;
  std::unique_ptr<DatabaseConnection> connection_;
};

}  // namespace tapeworks
