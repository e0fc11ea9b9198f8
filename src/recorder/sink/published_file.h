#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include <arrow/type_fwd.h>

#include "base/result.h"

namespace tapeworks::recorder {

/// Rises when the same log gives other bytes than before.
inline constexpr int kRecordingFormatVersion = 1;

/// The certificate of a published file: what its footer says about it.
struct Certificate {
  std::string partition;  ///< path in the recording, without ".parquet"
  uint32_t revision = 0;  ///< 1 for the first file of that path, one more for each that replaces it
  bool complete = false;  ///< its hour was over
  bool partial = false;   ///< the log it was made from lacks a part of the hour
  uint64_t first_lsn = 0;  ///< of its rows; with last_lsn the range whose rows it has, all of them
  uint64_t last_lsn = 0;
  uint64_t close_lsn = 0;  ///< of the record that ended it; its rows came before
  uint64_t row_count = 0;
  uint64_t row_checksum = 0;
  std::string streams = "[]";  ///< JSON: sequences and class of each stream
  std::string gaps = "[]";     ///< JSON: what is known to be missing

  std::map<std::string, std::string> to_metadata() const;
  /// kCorrupt, with `where` in the message, for a file that is no recording of a known version.
  static Result<Certificate> from_metadata(const std::map<std::string, std::string>& metadata,
                                           const std::string& where);
};

/// Nothing when there is no such file. kCorrupt when it cannot be read.
Result<std::optional<Certificate>> read_certificate(const std::filesystem::path& path,
                                                    arrow::MemoryPool* pool);

}  // namespace tapeworks::recorder
