#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <system_error>
#include <utility>

#include <arrow/memory_pool.h>
#include <fcntl.h>

#include "base/interrupt.h"
#include "base/utf8.h"
#include "storage/bulk_sync.h"
#include "storage/generation_store.h"
#include "storage/generation_tree_internal.h"
#include "storage/object_address.h"
#include "storage/parquet_read.h"

namespace tapeworks {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kAdoptedNumber = 1;
constexpr const char* kModeKey = "tapeworks.mode";
constexpr const char* kDefaultMode = "default";
/// In this folder each file is a table; every other folder is one table.
constexpr const char* kFolderOfTables = "derived";

bool is_record(const std::string& relative_path) {
  return relative_path == kManifestName || relative_path == kNewManifestName ||
         relative_path == kRunInfoName || is_checkpoint(relative_path);
}

/// The relative paths of all data files, sorted. kInvalidArgument for what is no part of a table:
/// it would be removed with its generation some day, and might be somebody's only copy.
Result<std::vector<std::string>> list_data_files(const fs::path& folder, const fs::path& given) {
  std::vector<std::string> paths;
  std::error_code error;
  fs::recursive_directory_iterator entries(folder, error);
  for (; !error && entries != fs::recursive_directory_iterator(); entries.increment(error)) {
    const std::string relative = entries->path().lexically_relative(folder).string();
    const fs::file_type type = entries->symlink_status(error).type();
    const bool is_in_folder = relative.find('/') != std::string::npos;
    if (type == fs::file_type::directory ||
        (type == fs::file_type::regular && is_record(relative))) {
      continue;
    }
    if (type != fs::file_type::regular || !is_in_folder) {
      return invalid_argument(
          "{} in {} is no file of a table; move it elsewhere first, because old generations are "
          "removed with everything in them",
          relative, given.string());
    }
    paths.push_back(relative);
  }
  if (error) return system_error("list", folder, error.value());
  std::ranges::sort(paths);
  return paths;
}

std::string table_of(const fs::path& relative_path) {
  const std::string folder = relative_path.begin()->string();
  return folder == kFolderOfTables ? relative_path.stem().string() : folder;
}

/// Reads the folder once: hashes every file, hands it to the sync and collects the manifest.
class FolderScan {
 public:
  explicit FolderScan(const fs::path& folder) : folder_(folder), sync_(folder) {}

  Status add(const std::string& relative_path) {
    TW_TRY(check_interrupt());
    const std::string table = table_of(relative_path);
    if (!is_utf8(table)) return invalid_argument("the folder {} is not called in UTF-8", table);
    TW_ASSIGN(const uint64_t row_count, read_footer(folder_ / relative_path));
    TW_ASSIGN(TableFile file, hash_file(relative_path));
    file.row_count = row_count;
    manifest_.tables[table].files.push_back(std::move(file));
    return {};
  }

  Result<TableFile> hash_file(const std::string& relative_path) {
    const fs::path path = folder_ / relative_path;
    TW_ASSIGN(FileDescriptor file, open_file(path, O_RDONLY));
    TW_ASSIGN(const StreamedContent content, hash_content(file, path, nullptr, {}));
    TW_TRY(sync_.add(std::move(file), path));
    return TableFile{relative_path, 0, content.byte_count, content.xxh3};
  }

  Result<Manifest> finish() {
    TW_TRY(sync_.finish());
    manifest_.mode = mode_.value_or(kDefaultMode);
    return std::move(manifest_);
  }

 private:
  /// The number of rows; compares the mode with that of the other files.
  Result<uint64_t> read_footer(const fs::path& path) {
    auto info = read_parquet_info(path, arrow::default_memory_pool());
    if (!info) {
      return std::unexpected(Error{
          info.error().kind, info.error().message + "; replace this file or move it elsewhere"});
    }
    const auto found = info->metadata.find(kModeKey);
    const std::string mode = found == info->metadata.end() ? kDefaultMode : found->second;
    if (mode_.value_or(mode) != mode) {
      return corrupt("{} was made in mode {}, the files before it in mode {}; adopt them apart",
                     path.string(), mode, *mode_);
    }
    mode_ = mode;
    return static_cast<uint64_t>(info->row_count);
  }

  fs::path folder_;
  BulkSync sync_;
  std::optional<std::string> mode_;
  Manifest manifest_;
};

Result<Manifest> make_manifest(const fs::path& folder, const fs::path& given) {
  TW_ASSIGN(const std::vector<std::string> paths, list_data_files(folder, given));
  FolderScan scan(folder);
  for (const std::string& path : paths) TW_TRY(scan.add(path));
  return scan.finish();
}

/// For a copy of a whole generation: everything must be as its own manifest says.
Status check_manifest(const fs::path& folder, const fs::path& given) {
  TW_ASSIGN(const Manifest manifest, read_manifest(folder));
  TW_ASSIGN(const std::vector<std::string> paths, list_data_files(folder, given));
  FolderScan scan(folder);
  size_t file_count = 0;
  for (const auto& [name, table] : manifest.tables) {
    for (const TableFile& file : table.files) {
      ++file_count;
      TW_TRY(check_interrupt());
      TW_ASSIGN(const TableFile found, scan.hash_file(file.path));
      if (found.byte_count == file.byte_count && found.xxh3 == file.xxh3) continue;
      return corrupt("{} does not have the checksum of its manifest; copy it again",
                     (folder / file.path).string());
    }
  }
  if (file_count != paths.size()) {
    return corrupt("{} holds {} files, and its manifest lists {}; copy it again", folder.string(),
                   paths.size(), file_count);
  }
  return scan.finish() ? Status() : cancelled();
}

/// The folder that becomes the generation: DIR itself, or what an interrupted adopt made of it.
Result<fs::path> folder_to_adopt(const DataDirectory& directory) {
  const std::string given = directory.given.string();
  TW_ASSIGN(const std::vector<uint64_t> numbers, generation_numbers(directory));
  switch (directory.kind) {
    case DataDirectory::Kind::kLink:
      return invalid_argument("{} is a data directory already", given);
    case DataDirectory::Kind::kOther:
      return invalid_argument("{} is no folder; name the folder with the tables", given);
    case DataDirectory::Kind::kFolder:
      if (names_generation(directory.link)) {
        return invalid_argument("{} is a generation of a data directory already", given);
      }
      if (!numbers.empty()) {
        return invalid_argument("{} has generations of its own beside it; move one of the two away",
                                given);
      }
      return directory.link;
    case DataDirectory::Kind::kMissing:
      if (numbers == std::vector{kAdoptedNumber}) return directory.generation(kAdoptedNumber);
      return invalid_argument("there is no folder {} to adopt", given);
  }
  return internal_error("a data directory of no kind");
}

Status move_folder(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return system_error("move", from, errno);
  TW_TRY(sync_folder(to.parent_path()));
  return sync_folder(from.parent_path());
}

/// The folder is at its place: its records and the link are what is missing.
Status finish_adoption(const DataDirectory& directory, const std::optional<Manifest>& manifest) {
  const fs::path generation = directory.generation(kAdoptedNumber);
  if (manifest) TW_TRY(write_generation_records(generation, *manifest, {{"command", "adopt"}}));
  TW_TRY(sync_folder(generation));
  TW_TRY(replace_link(directory, kAdoptedNumber));
  return sync_folder(directory.link.parent_path());
}

}  // namespace

Status adopt_directory(const fs::path& data_dir) {
  if (is_object_address(data_dir.native())) {
    return invalid_argument("only a folder of the disk can be adopted; copy the objects to one");
  }
  TW_ASSIGN(const DataDirectory seen, locate_data_directory(data_dir));
  TW_TRY(folder_to_adopt(seen));
  TW_ASSIGN(const WriterLock lock, WriterLock::acquire(seen));
  TW_ASSIGN(const DataDirectory directory, locate_data_directory(data_dir));
  TW_ASSIGN(const fs::path folder, folder_to_adopt(directory));

  std::optional<Manifest> new_manifest;
  std::error_code error;
  if (fs::exists(folder / kManifestName, error)) {
    TW_TRY(check_manifest(folder, data_dir));
  } else {
    TW_ASSIGN(new_manifest, make_manifest(folder, data_dir));
  }
  const fs::path generation = directory.generation(kAdoptedNumber);
  if (folder == generation) return finish_adoption(directory, new_manifest);
  TW_TRY(move_folder(folder, generation));
  Status finished = finish_adoption(directory, new_manifest);
  // Back where it was, unless the link is made already.
  if (!finished && !fs::is_symlink(directory.link, error)) {
    static_cast<void>(::rename(generation.c_str(), folder.c_str()));
  }
  return finished;
}

}  // namespace tapeworks
