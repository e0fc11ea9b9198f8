#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "recorder/sink/published_file.h"
#include "recorder/sink/recording_path.h"
#include "storage/parquet_stream_writer.h"

namespace tapeworks::recorder {

/// What a recording holds, for readers that want neither to list folders nor to open files:
///
///   _manifest.json              format, layout, and the list of the following
///   _manifest/{date}/{HH}.json  the files of one hour; {date}/tables.json those of a day's tables
///
/// In two levels, so that publishing a file rewrites what is known of one hour and not of months.
/// Visibility: each file is replaced in one step. Memory: the entries of one hour. Threads: one.
class RecordingManifest {
 public:
  RecordingManifest(std::filesystem::path output_dir, Layout layout)
      : output_dir_(std::move(output_dir)), layout_(layout) {}

  /// kInvalidArgument when the folder holds a recording in another layout or of another version.
  Status check() const;

  /// Adds the file, or replaces what was said of that path. Unfinished files go to `scratch`.
  Status add(const Certificate& certificate, const WrittenFile& file,
             const std::filesystem::path& scratch);

  /// Whether the manifest knows this revision of a file.
  Result<bool> knows(const Certificate& certificate) const;

 private:
  Status add_list(const std::string& list_name, const std::filesystem::path& scratch);

  std::filesystem::path output_dir_;
  Layout layout_;
};

}  // namespace tapeworks::recorder
