#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "base/result.h"
#include "storage/log_segment_file.h"
#include "storage/posix_file.h"

namespace tapeworks {

inline constexpr uint64_t kArchiveChunkBytes = kMiB;

/// Writes the compressed form of `segment` to `to` (docs/formats/wal.md, "Archive"). Memory: one
/// chunk plain and one compressed.
Status write_archive(const LogSegmentFile& segment, const FileDescriptor& to,
                     const std::filesystem::path& to_path);

/// Reads the compressed form. What is damaged in it reads as bytes ff; memory: one chunk, and 24
/// bytes for each chunk that is there.
Result<std::unique_ptr<LogSegmentBytes>> open_archived_segment(FileDescriptor file,
                                                               const LogSegmentFile& segment);

/// Both forms have the same content. Memory: two blocks and what the readers need.
Result<bool> same_content(const LogSegmentFile& one, const LogSegmentFile& other);

}  // namespace tapeworks
