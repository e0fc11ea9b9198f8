#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <arrow/type_fwd.h>

#include "base/result.h"
#include "recorder/sink/published_file.h"
#include "recorder/sink/recording_manifest.h"
#include "recorder/sink/recording_path.h"

namespace tapeworks::recorder {

/// What is wrong with one file: the first few findings, and how many there are.
struct FileFindings {
  static constexpr size_t kKeptMax = 8;

  std::vector<std::string> kept;
  uint64_t count = 0;

  void add(std::string finding) {
    if (++count <= kKeptMax) kept.push_back(std::move(finding));
  }
};

struct PublishedFileCheck {
  FileFindings findings;
  std::optional<Certificate> certificate;  ///< when it can be read
};

/// Checks one published file against what the manifest says of it, and its certificate against its
/// rows: size and checksum of the file, columns, the order and range of the keys, the hour and the
/// names of each row, row checksum, and the summary of streams. Damage is a finding, not an error.
/// Each row group whose columns are right is given to `visit`.
///
/// Memory: one row group as columns, and StreamSummary.
/// Errors: kIo, kCancelled; kMemoryBudget when `pool` refuses a file that is otherwise as
/// published.
Result<PublishedFileCheck> check_published_file(
    const std::filesystem::path& output_dir, Layout layout, const ManifestEntry& entry,
    const std::function<void(const arrow::Table&)>& visit, arrow::MemoryPool* pool);

}  // namespace tapeworks::recorder
