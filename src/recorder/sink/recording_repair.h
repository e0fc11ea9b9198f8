#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/result.h"
#include "recorder/sink/published_file.h"
#include "recorder/sink/recording_path.h"
#include "storage/parquet_stream_writer.h"

namespace tapeworks::recorder {

/// What a recording still says when a file of it is damaged: the manifest is derived from the
/// certificates of the files, and so can be made again.
/// Threads: that of the sink.

/// Moves a file of the recording to {output_dir}/.parts/set_aside/{its path}.damaged, where no glob
/// finds it and nothing deletes it. Returns where it is now.
Result<std::filesystem::path> set_aside_damaged(const std::filesystem::path& output_dir,
                                                const std::filesystem::path& path);

/// Size and checksum of a published file.
Result<WrittenFile> measure_file(const std::filesystem::path& path, const Certificate& certificate);

struct FoundFile {
  Certificate certificate;
  WrittenFile file;
};

/// The files on disk that belong into a list of the manifest. What cannot be read is left out with
/// a warning. Reads each of them whole.
Result<std::vector<FoundFile>> find_files_of_list(const std::filesystem::path& output_dir,
                                                  const std::string& list_name,
                                                  arrow::MemoryPool* pool);

/// The names of the lists on disk, sorted.
Result<std::vector<std::string>> find_lists(const std::filesystem::path& output_dir);

/// The layout that the newest of those lists shows; nothing when none can be read.
Result<std::optional<Layout>> find_layout(const std::filesystem::path& output_dir);

}  // namespace tapeworks::recorder
