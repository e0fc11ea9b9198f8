#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/memory_pool.h>

#include "base/result.h"
#include "recorder/sink/published_file.h"
#include "recorder/sink/recording_path.h"
#include "storage/parquet_stream_writer.h"

namespace tapeworks::recorder {

/// Names below the recording's folder.
inline constexpr const char* kManifestFile = "_manifest.json";
inline constexpr const char* kManifestFolder = "_manifest";
/// The end of the names of lists that hold the tables of a day.
inline constexpr const char* kTablesList = "/tables";

/// What a manifest says of the whole recording.
struct ManifestTop {
  Layout layout = Layout::kSymbol;
  std::vector<std::string> lists;  ///< "2026-11-21/07", "2026-11-21/tables"
};

/// What a manifest says of one file.
struct ManifestEntry {
  std::string path;  ///< in the recording, with ".parquet"
  uint32_t revision = 0;
  bool complete = false;
  bool partial = false;
  uint64_t row_count = 0;
  uint64_t byte_count = 0;
  uint64_t xxh3 = 0;  ///< of the whole file
  uint64_t row_checksum = 0;
  uint64_t first_lsn = 0;
  uint64_t last_lsn = 0;
  uint64_t close_lsn = 0;

  /// Without ".parquet".
  std::string partition() const;
  bool operator==(const ManifestEntry&) const = default;
};

/// What a recording holds, for readers that want neither to list folders nor to open files:
///
///   _manifest.json              format, layout, and the list of the following
///   _manifest/{date}/{HH}.json  the files of one hour; {date}/tables.json those of a day's tables
///
/// In two levels, so that publishing a file rewrites what is known of one hour and not of months.
/// Visibility: each file is replaced in one step. Memory: the entries of one hour, which are kept
/// from one file to the next, so nobody else may write the manifest meanwhile. Threads: one.
/// Damage: it is derived data. A list that cannot be read is set aside with a warning and made
/// again of the certificates of its files, _manifest.json of the lists; see recording_repair.h.
class RecordingManifest {
 public:
  /// `pool` is for the footers of files, when a list is made again.
  RecordingManifest(std::filesystem::path output_dir, Layout layout,
                    arrow::MemoryPool* pool = arrow::default_memory_pool());
  RecordingManifest(RecordingManifest&&) noexcept;
  RecordingManifest& operator=(RecordingManifest&&) noexcept;
  ~RecordingManifest();

  /// kInvalidArgument when the folder holds a recording in another layout or of another version.
  /// Damage is none of its concern.
  Status check() const;

  /// What it says of the whole recording; without a file for that, what the lists say. Unfinished
  /// files of this and the following go to `scratch`.
  Result<ManifestTop> read_top(const std::filesystem::path& scratch);

  /// Adds the file, or replaces what was said of that path.
  Status add(const Certificate& certificate, const WrittenFile& file,
             const std::filesystem::path& scratch);

  /// Forgets a list with all that it names.
  Status remove_list(const std::string& list_name, const std::filesystem::path& scratch);

  /// Forgets some files of a list, which names others.
  Status remove_files(const std::string& list_name, const std::vector<ManifestEntry>& files,
                      const std::filesystem::path& scratch);

  /// What it says of a file, whether that is there or not.
  Result<std::optional<ManifestEntry>> entry_of(const std::string& partition,
                                                const std::filesystem::path& scratch);

  /// Whether the manifest knows this revision of a file.
  Result<bool> knows(const Certificate& certificate, const std::filesystem::path& scratch);

 private:
  struct List;

  Result<std::unique_ptr<List>> read_list(const std::string& list_name,
                                          const std::filesystem::path& scratch);
  Status make_list_again(List& list, const std::string& list_name,
                         const std::filesystem::path& scratch) const;
  Status add_list(const std::string& list_name, const std::filesystem::path& scratch);

  std::filesystem::path output_dir_;
  Layout layout_;
  arrow::MemoryPool* pool_;
  std::unique_ptr<List> latest_;  ///< the one that was used last, as it is on disk; or null
};

/// The list that names a file of this partition: "2026-11-21/07" for rows, "2026-11-21/tables" for
/// other tables; "unknown" for a path that no partition has.
std::string manifest_list_of(const std::string& partition);

/// Where a list lies.
std::filesystem::path manifest_list_path(const std::filesystem::path& output_dir,
                                         const std::string& list_name);

/// Reading a manifest, for checks. kCorrupt for what is no manifest of this version, with the file
/// in the message. Nothing when there is no such file.
Result<std::optional<ManifestTop>> read_manifest_top(const std::filesystem::path& output_dir);
Result<std::optional<std::vector<ManifestEntry>>> read_manifest_list(
    const std::filesystem::path& output_dir, const std::string& list_name);

}  // namespace tapeworks::recorder
