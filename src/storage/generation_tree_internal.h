#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/result.h"
#include "storage/manifest.h"
#include "storage/posix_file.h"

// The names inside a data directory and the steps on them that readers, writers and adopt share.
// What changes the tree wants the WriterLock held. docs/formats/dataset.md draws the tree.
namespace tapeworks {

inline constexpr const char* kManifestName = "manifest.json";
/// The manifest until it is complete.
inline constexpr const char* kNewManifestName = "manifest.json.new";
inline constexpr const char* kRunInfoName = "run.json";

/// Where a data directory is, and what stands at its place.
struct DataDirectory {
  enum class Kind {
    kMissing,
    kLink,    ///< to a generation, which may be gone
    kFolder,  ///< a real folder: not ours
    kOther,   ///< a file or device: not ours
  };
  std::filesystem::path given;        ///< as the user wrote it, for messages
  std::filesystem::path link;         ///< absolute, without links above its last name
  std::filesystem::path generations;  ///< `link` + ".generations"
  Kind kind = Kind::kMissing;
  std::filesystem::path current;  ///< kLink: the absolute path of the generation

  std::filesystem::path generation(uint64_t number) const;
  std::filesystem::path partial_generation(uint64_t number) const;
};

/// Looks at the file system once. A link of the user's own, to a data directory elsewhere (which
/// need not exist yet), is followed. kInvalidArgument when there can be no data directory there.
Result<DataDirectory> locate_data_directory(const std::filesystem::path& data_dir);

/// kInvalidArgument when a real folder or file stands where the link should be; says what to do.
Status require_link_or_nothing(const DataDirectory& directory);

/// "000042" and back; nothing for any other name.
std::string generation_name(uint64_t number);
std::optional<uint64_t> parse_generation_name(const std::string& name);

/// "X.generations/000042", relative or not.
bool names_generation(const std::filesystem::path& path);

/// The numbers of all folders that are named like a generation, ascending. No folder: none.
Result<std::vector<uint64_t>> generation_numbers(const DataDirectory& directory);

/// kInvalidArgument when an adopt was interrupted: there is no link, and a folder is named like a
/// generation but has no manifest.
Status require_wholly_adopted(const DataDirectory& directory);

Result<Manifest> read_manifest(const std::filesystem::path& generation);

/// kCorrupt naming the first file of the manifest that is missing or has another size.
Status check_files_present(const Manifest& manifest, const std::filesystem::path& generation);

/// The text of run.json: `run_info` after the fields that every run has.
std::string run_info_text(const nlohmann::ordered_json& run_info);

/// Writes run.json, then manifest.json: synced, and complete as soon as it has its name.
Status write_generation_records(const std::filesystem::path& generation, const Manifest& manifest,
                                const nlohmann::ordered_json& run_info);

/// `path` still names the open file.
bool is_same_file(const FileDescriptor& file, const std::filesystem::path& path);

/// The right to change a data directory; one process at a time has it. Its end removes
/// DIR.generations when nothing came of it.
class WriterLock {
 public:
  /// Makes DIR.generations when it is missing. kIo naming the other process when that one has it.
  static Result<WriterLock> acquire(const DataDirectory& directory);

  WriterLock(WriterLock&&) noexcept = default;
  WriterLock& operator=(WriterLock&&) noexcept = delete;
  ~WriterLock();

 private:
  WriterLock(FileDescriptor file, std::filesystem::path folder)
      : file_(std::move(file)), folder_(std::move(folder)) {}

  FileDescriptor file_;
  std::filesystem::path folder_;
};

/// Removes what interrupted runs left: partial generations, temporary folders, a temporary link.
Status remove_leftovers(const DataDirectory& directory);

/// Lets the link name generation `number`, as one step for whoever looks. Not synced.
Status replace_link(const DataDirectory& directory, uint64_t number);

/// Notes in a generation's manifest (its modification time) that it was current until now.
void mark_as_superseded(const std::filesystem::path& generation);

/// A new folder for spill files; `parent` empty means inside DIR.generations. For a folder
/// elsewhere `entry` is a link to it in DIR.generations, so that the next writer finds it after a
/// crash.
struct TempFolder {
  std::filesystem::path entry;
  std::filesystem::path path;
};
Result<TempFolder> make_temp_folder_in(const DataDirectory& directory,
                                       const std::filesystem::path& parent);
/// Removes a temporary folder, wherever it is, and its entry in DIR.generations.
Status remove_temp_folder(const DataDirectory& directory, const std::filesystem::path& entry);

/// Removes the generations that nobody needs. Kept are `current`, `previous`, the newest below
/// `current`, the newest in which all tables agree, and what was current less than `keep_for` ago
/// or is locked by a reader. What cannot be removed now is a warning and the next writer's work.
void collect_generations(const DataDirectory& directory, uint64_t current,
                         std::optional<uint64_t> previous, std::chrono::milliseconds keep_for);

}  // namespace tapeworks
