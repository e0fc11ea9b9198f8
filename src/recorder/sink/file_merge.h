#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/result.h"
#include "recorder/sink/part_folder.h"
#include "recorder/sink/published_file.h"
#include "storage/fast_file_reader.h"
#include "storage/parquet_stream_writer.h"

namespace tapeworks::recorder {

/// A file to be made of the parts of one partition.
struct MergeJob {
  std::string partition;
  TableKind table = TableKind::kRows;
  uint64_t close_lsn = 0;  ///< the record that closed it; rows of the file came before
  bool complete = false;
  bool partial = false;
  std::string gaps = "[]";  ///< JSON for the certificate
  int64_t row_group_rows = RowRules().row_group_rows;

  bool operator==(const MergeJob&) const = default;
};

/// Joins what is published of a partition and its parts into one file, in the order of the LSNs.
/// That is their order already: each begins behind the end of the one before. The bytes depend on
/// the rows and the job, not on how the rows were cut into parts.
///
/// The file is made under an unfinished name; giving it its own is for the caller.
/// Memory: a page of 8,192 rows as columns, about 400 bytes a row, or of 4 MiB of texts and one
/// row more; one part; and a row group as it is stored, of 16 MiB of texts and one page more. A row
/// has 16 MiB at the most. Of a file that is replaced, a page of each column too. Threads: one.
class FileMerge {
 public:
  struct Inputs {
    std::optional<Certificate> previous;  ///< of the file that is replaced
    std::filesystem::path previous_path;
    uint32_t lost_revision = 0;  ///< without previous: of a published file that is damaged
    std::vector<std::filesystem::path> parts;
  };

  /// `reader` and `writer` must outlive the merge; the writer makes no other file meanwhile.
  static Result<FileMerge> begin(MergeJob job, Inputs inputs,
                                 const std::filesystem::path& unfinished, FastFileReader& reader,
                                 ParquetStreamWriter& writer);
  FileMerge(FileMerge&&) noexcept;
  FileMerge& operator=(FileMerge&&) noexcept;
  ~FileMerge();

  /// Takes over one input. False when there is none left. kCorrupt when a file has not the rows
  /// that its certificate or name claims.
  Result<bool> step();
  /// It is at the file that is replaced, so damage is that one's.
  bool reads_previous() const;

  /// Writes the rest; the content survives a power cut.
  struct Outcome {
    Certificate certificate;
    WrittenFile file;
  };
  Result<Outcome> finish();

  const MergeJob& job() const;
  const std::filesystem::path& unfinished() const;

 private:
  struct State;
  explicit FileMerge(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tapeworks::recorder
