#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/result.h"

namespace tapeworks {

/// A path that cannot lead out of the folder it is below: no empty name, "." or "..", no NUL.
bool is_safe_relative_path(const std::string& path);

/// One data file of a generation.
struct TableFile {
  std::string path;  ///< relative to the generation, with '/'; any bytes, not always UTF-8
  uint64_t row_count = 0;
  uint64_t byte_count = 0;
  uint64_t xxh3 = 0;  ///< XXH3-64 of the bytes
};

/// One table: a file, or a folder of files of the same columns.
struct Table {
  /// The options that decided its content ("amounts": "float32"); each by its name and text.
  std::map<std::string, std::string> options;
  /// What it was made from: name of another table -> fingerprint of that table at that time.
  std::map<std::string, std::string> made_from;
  /// Counts worth keeping, e.g. rows dropped by reason. Part of the manifest, not the fingerprint.
  std::map<std::string, uint64_t> counts;
  std::vector<TableFile> files;  ///< sorted by path

  /// XXH3-64 over options and the paths, rows and checksums of the files, as 16 hex digits. Two
  /// tables with the same fingerprint have the same content.
  std::string fingerprint() const;
  uint64_t row_count() const;
  /// The file of that path; nothing when there is none.
  std::optional<TableFile> file(const std::string& path) const;
};

/// manifest.json of a generation: deterministic, a function of the data and the options only. What
/// differs from run to run (inputs, times, version) is in run.json beside it.
/// Format: docs/formats/dataset.md.
struct Manifest {
  std::string mode;  ///< "default", "v1" or "v2"
  std::map<std::string, Table> tables;

  const Table* find(const std::string& table) const;
  /// Names of the tables from which `table` was made, directly or through another table, and that
  /// have changed or gone since, in order. Empty when the table is up to date. A table that does
  /// not exist has no answer: empty.
  std::vector<std::string> stale_sources(const std::string& table) const;
  /// No table is stale.
  bool consistent() const;
  /// Of all data files.
  uint64_t byte_count() const;

  nlohmann::ordered_json to_json() const;
  /// The text of manifest.json.
  std::string to_text() const;
  /// kCorrupt, with `where` in the message, for text that is no manifest of a known version.
  static Result<Manifest> parse(const std::string& text, const std::string& where);
};

}  // namespace tapeworks
