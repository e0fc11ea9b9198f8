#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/result.h"
#include "recorder/sink/sink_options.h"
#include "recorder/sink/table_schema.h"
#include "storage/parquet_stream_writer.h"

namespace tapeworks::recorder {

/// The LSNs of a part's first and last row. Every row of the partition in between is in the part.
struct PartRange {
  uint64_t first_lsn = 0;
  uint64_t last_lsn = 0;
};

/// The rows that are durable and not published yet, in small complete Parquet files:
///
///   {folder}/{XXH3-64 of the partition's path}-{first LSN}-{last LSN}.part
///   {folder}/set_aside/     what a crash left unfinished; nothing here is ever read or deleted
///
/// The footer names the partition. Names alone say how far each partition has come, so starting
/// does not read the files.
///
/// Durability: when write() has returned, the content survives a power cut; the name does after
///   sync().
/// Memory: 16 bytes a part and about 100 a partition that has parts. Threads: one.
class PartFolder {
 public:
  static constexpr uint64_t kPartBytes = sizeof(PartRange);  ///< of memory, for each part

  /// Makes the folder if it is missing, sets aside what is unfinished, and lists the parts.
  static Result<PartFolder> open(const std::filesystem::path& folder, StepProbe probe);

  /// Makes the rows a part of the partition. They follow those of its parts so far.
  Status write(const std::string& partition, TableKind table, PartRange range,
               const arrow::Table& rows, ParquetStreamWriter& writer);

  /// What lies in a folder of parts, for those who only read it. No folder: nothing.
  struct Listed {
    std::filesystem::path path;
    uint64_t hash = 0;  ///< hash_of() the partition
    PartRange range;
  };
  static Result<std::vector<Listed>> list_parts(const std::filesystem::path& folder);
  static uint64_t hash_of(std::string_view partition);

  /// Sorted by LSN; none overlap.
  std::span<const PartRange> parts_of(const std::string& partition) const;
  /// The same of the partition that has this hash, whatever its name is.
  std::vector<Listed> parts_of_hash(uint64_t hash) const;
  std::filesystem::path path_of(const std::string& partition, PartRange range) const;

  /// Removes the parts of a partition up to this LSN.
  Status remove_through(const std::string& partition, uint64_t last_lsn);

  /// Makes the names of all parts survive a power cut.
  Status sync();

  /// Moves a file of this folder out of the way, into set_aside/. Returns where it is now.
  Result<std::filesystem::path> set_aside(const std::filesystem::path& path);
  /// Likewise a part, which is none from then on.
  Result<std::filesystem::path> set_aside_part(const Listed& part);

  /// Removes what is unfinished: only for who knows that nothing needs it, because the log has it.
  Status discard_unfinished();

  /// A name for a file that is to be renamed when it is finished.
  std::filesystem::path unfinished_path(std::string_view name) const;

  uint64_t part_count() const { return part_count_; }
  /// 0 without parts.
  uint64_t highest_lsn() const;
  /// Of each partition that has parts.
  std::vector<uint64_t> hashes() const;

 private:
  PartFolder(std::filesystem::path folder, StepProbe probe)
      : folder_(std::move(folder)), probe_(std::move(probe)) {}
  Status list();

  std::filesystem::path folder_;
  StepProbe probe_;
  std::unordered_map<uint64_t, std::vector<PartRange>> parts_;  ///< by hash of the partition
  uint64_t part_count_ = 0;
  bool names_changed_ = false;
};

/// Below a folder of parts.
inline constexpr const char* kSetAsideFolder = "set_aside";

/// Moves a file into a folder, under this name or, where that is taken, one with a number.
Result<std::filesystem::path> move_aside(const std::filesystem::path& path,
                                         const std::filesystem::path& folder,
                                         const std::string& name);

/// Keys in the footers of parts and published files.
inline constexpr const char* kPartitionKey = "tapeworks.partition";

}  // namespace tapeworks::recorder
