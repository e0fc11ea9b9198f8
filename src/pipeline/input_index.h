#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "pipeline/scan_facts.h"
#include "pipeline/transaction_scan.h"

namespace tapeworks {

/// How a file looked when it was read. The same stamp: the same content. Another stamp: look at the
/// content again.
struct FileStamp {
  uint64_t byte_count = 0;
  int64_t modified_ns = 0;  ///< since the epoch
  int64_t changed_ns = 0;   ///< of the inode; it shows a modification time that was set back
  uint64_t footer_xxh3 = 0;

  bool operator==(const FileStamp&) const = default;
};

/// One input file of a summary.
struct IndexedFile {
  std::string path;  ///< canonical
  FileStamp stamp;
  std::vector<RowGroupFacts> row_groups;
};

/// What a daily summary was made from: checkpoint/daily_summary of a generation
/// (docs/formats/input_index.md). It is no part of the result and differs with the cut of the input
/// into files.
struct InputIndex {
  std::string options;              ///< index_options() of the scan
  std::string summary_fingerprint;  ///< of the table daily_summary that it belongs to
  std::vector<std::string> brokers;
  std::vector<std::string> names;
  std::vector<IndexedFile> files;
};

/// The options of a scan that decide what a row means, as one text.
std::string index_options(const ScanOptions& options);

/// No index is longer.
inline constexpr uint64_t kIndexBytesMax = uint64_t{512} * 1024 * 1024;

std::string encode_index(const InputIndex& index);
/// All row groups come back as known. kCorrupt, beginning with `where`, for bytes that are no whole
/// index of a known version.
Result<InputIndex> decode_index(std::string_view bytes, const std::string& where);

}  // namespace tapeworks
