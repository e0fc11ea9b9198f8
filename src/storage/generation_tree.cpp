#include <atomic>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <iterator>
#include <span>
#include <system_error>

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/messages.h"
#include "storage/generation_tree_internal.h"

namespace tapeworks {
namespace fs = std::filesystem;
namespace {

constexpr const char* kLockName = "lock";
constexpr std::string_view kTempPrefix = "temp-";
constexpr std::string_view kPartialSuffix = ".partial";
constexpr int kLockAttemptsMax = 100;

fs::path temporary_link(const DataDirectory& directory) {
  return directory.link.parent_path() /
         fmt::format(".{}.new-link", directory.link.filename().string());
}

/// The beginning of the names of our temporary folders in a folder that others use too. The hash
/// tells apart the folders of different data directories.
std::string outside_temp_prefix(const DataDirectory& directory) {
  const std::string link = directory.link.string();
  return fmt::format("tapeworks-temp-{:016x}-", XXH3_64bits(link.data(), link.size()));
}

bool is_partial_name(const std::string& name) {
  return name.ends_with(kPartialSuffix) &&
         parse_generation_name(name.substr(0, name.size() - kPartialSuffix.size())).has_value();
}

std::unexpected<Error> lock_is_taken(const FileDescriptor& file, const DataDirectory& directory,
                                     const fs::path& path) {
  const auto pid = read_to_end(file, path);
  const std::string owner =
      pid && !pid->empty() ? fmt::format("process {}", *pid) : "another process";
  return io_error("{} is being written by {}; wait for it to end", directory.given.string(), owner);
}

std::string utc_now() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

}  // namespace

Result<Manifest> read_manifest(const fs::path& generation) {
  const fs::path path = generation / kManifestName;
  std::error_code error;
  if (!fs::exists(path, error) && !error) {
    return corrupt(
        "{} has no {}; choose another generation with `tapeworks generations --back-to N`",
        generation.string(), kManifestName);
  }
  TW_ASSIGN(const std::string text, read_text_file(path));
  return Manifest::parse(text, path.string());
}

Status check_files_present(const Manifest& manifest, const fs::path& generation) {
  for (const auto& [name, table] : manifest.tables) {
    for (const TableFile& file : table.files) {
      struct stat info{};
      const fs::path path = generation / file.path;
      if (::stat(path.c_str(), &info) != 0) {
        if (errno != ENOENT && errno != ENOTDIR) return system_error("look at", path, errno);
        return corrupt(
            "{} is missing; go back with `tapeworks generations --back-to N` or make its "
            "table anew",
            path.string());
      }
      if (static_cast<uint64_t>(info.st_size) != file.byte_count) {
        return corrupt(
            "{} has {} bytes, and its manifest says {}; go back with `tapeworks generations "
            "--back-to N` or make its table anew",
            path.string(), info.st_size, file.byte_count);
      }
    }
  }
  return {};
}

std::string run_info_text(const nlohmann::ordered_json& run_info) {
  nlohmann::ordered_json run;
  run["format"] = 1;
  run["command"] = "";
  run["created"] = utc_now();
  run["tapeworks_version"] = TAPEWORKS_VERSION;
  for (const auto& [name, value] : run_info.items()) run[name] = value;
  // Names of inputs may be any bytes; what is no UTF-8 in them is replaced.
  constexpr auto kReplace = nlohmann::ordered_json::error_handler_t::replace;
  return run.dump(2, ' ', false, kReplace) + "\n";
}

Status write_generation_records(const fs::path& generation, const Manifest& manifest,
                                const nlohmann::ordered_json& run_info) {
  const fs::path run_info_path = generation / kRunInfoName;
  const fs::path new_manifest = generation / kNewManifestName;
  // An interrupted adopt may have left both.
  TW_TRY(remove_tree(run_info_path));
  TW_TRY(remove_tree(new_manifest));
  TW_TRY(write_synced_file(run_info_path, run_info_text(run_info)));
  TW_TRY(write_synced_file(new_manifest, manifest.to_text()));
  if (::rename(new_manifest.c_str(), (generation / kManifestName).c_str()) != 0) {
    return system_error("rename", new_manifest, errno);
  }
  return {};
}

bool is_same_file(const FileDescriptor& file, const fs::path& path) {
  struct stat open_info{};
  struct stat path_info{};
  return ::fstat(file.get(), &open_info) == 0 && ::stat(path.c_str(), &path_info) == 0 &&
         open_info.st_dev == path_info.st_dev && open_info.st_ino == path_info.st_ino;
}

Result<WriterLock> WriterLock::acquire(const DataDirectory& directory) {
  const fs::path path = directory.generations / kLockName;
  for (int attempt = 0; attempt < kLockAttemptsMax; ++attempt) {
    TW_TRY(make_folders(directory.generations));
    auto file = open_file(path, O_RDWR | O_CREAT);
    if (!file) {
      // A writer that gave up may just have removed the folder.
      std::error_code error;
      if (!fs::exists(directory.generations, error)) continue;
      return std::unexpected(file.error());
    }
    TW_ASSIGN(const LockOutcome outcome, lock_file(*file, LOCK_EX | LOCK_NB, path));
    if (outcome == LockOutcome::kHeldElsewhere) return lock_is_taken(*file, directory, path);
    if (outcome == LockOutcome::kUnsupported) {
      return io_error("cannot lock {}: its file system has no locks; use another one",
                      path.string());
    }
    // A lock on a file that was removed in the meantime protects nothing.
    if (!is_same_file(*file, path)) continue;
    const std::string pid = fmt::format("{}", ::getpid());
    if (::ftruncate(file->get(), 0) != 0) return system_error("write", path, errno);
    TW_TRY(write_all(*file, std::as_bytes(std::span(pid)), path));
    return WriterLock(std::move(*file), directory.generations);
  }
  return io_error("{} is made and removed all the time; wait for the other processes to end",
                  directory.generations.string());
}

WriterLock::~WriterLock() {
  if (file_.get() < 0) return;
  std::error_code error;
  const auto entry_count =
      std::distance(fs::directory_iterator(folder_, error), fs::directory_iterator());
  if (!error && entry_count == 1) {
    // Still under the lock; whoever waits for this file sees that its name is gone and starts
    // again.
    fs::remove(folder_ / kLockName, error);
    fs::remove(folder_, error);
  } else if (::ftruncate(file_.get(), 0) != 0) {
    warn("cannot empty {}", (folder_ / kLockName).string());
  }
}

Status remove_leftovers(const DataDirectory& directory) {
  std::error_code error;
  std::vector<fs::path> partial;
  std::vector<fs::path> temporary;
  fs::directory_iterator entries(directory.generations, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    if (is_partial_name(name)) partial.push_back(entries->path());
    if (name.starts_with(kTempPrefix)) temporary.push_back(entries->path());
  }
  if (error) return system_error("list", directory.generations, error.value());
  for (const fs::path& path : partial) TW_TRY(remove_tree(path));
  for (const fs::path& path : temporary) TW_TRY(remove_temp_folder(directory, path));
  return remove_tree(temporary_link(directory));
}

Status replace_link(const DataDirectory& directory, uint64_t number) {
  const fs::path temporary = temporary_link(directory);
  // Relative, so that the directory can be moved together with its generations.
  const fs::path target = directory.generations.filename() / generation_name(number);
  TW_TRY(remove_tree(temporary));
  if (::symlink(target.c_str(), temporary.c_str()) != 0) {
    return system_error("make the link", temporary, errno);
  }
  // rename() would replace a file that somebody put there since we looked; a folder it refuses.
  std::error_code error;
  const fs::file_type type = fs::symlink_status(directory.link, error).type();
  if (type != fs::file_type::symlink && type != fs::file_type::not_found) {
    fs::remove(temporary, error);
    return io_error("{} is no link any more; move away what was put there and run again",
                    directory.link.string());
  }
  if (::rename(temporary.c_str(), directory.link.c_str()) != 0) {
    const int error_number = errno;
    fs::remove(temporary, error);
    return system_error("replace the link", directory.link, error_number);
  }
  return {};
}

void mark_as_superseded(const fs::path& generation) {
  // Without the mark the generation only looks older than it is; that is not worth a failure.
  static_cast<void>(::utimensat(AT_FDCWD, (generation / kManifestName).c_str(), nullptr, 0));
}

Result<TempFolder> make_temp_folder_in(const DataDirectory& directory, const fs::path& parent) {
  static std::atomic<unsigned> next_index{0};
  const std::string suffix = fmt::format("{}-{}", ::getpid(), next_index.fetch_add(1));
  TempFolder folder;
  folder.entry = directory.generations / fmt::format("{}{}", kTempPrefix, suffix);
  folder.path = folder.entry;
  if (!parent.empty()) {
    std::error_code error;
    const fs::path absolute_parent = fs::canonical(parent, error);
    if (error) return system_error("use the temporary folder", parent, error.value());
    folder.path = absolute_parent / (outside_temp_prefix(directory) + suffix);
    // The note comes first: a crash between the two leaves a note of nothing, not a lost folder.
    if (::symlink(folder.path.c_str(), folder.entry.c_str()) != 0) {
      return system_error("make the link", folder.entry, errno);
    }
    TW_TRY(sync_folder(directory.generations));
  }
  if (::mkdir(folder.path.c_str(), 0777) == 0) return folder;
  const int error_number = errno;
  static_cast<void>(remove_tree(folder.entry));
  return system_error("make folder", folder.path, error_number);
}

Status remove_temp_folder(const DataDirectory& directory, const fs::path& entry) {
  std::error_code error;
  const fs::path outside = fs::read_symlink(entry, error);
  // A data directory that was copied while in use has notes of folders that are not its own.
  if (!error && outside.filename().string().starts_with(outside_temp_prefix(directory))) {
    TW_TRY(remove_tree(outside));
  }
  return remove_tree(entry);
}

}  // namespace tapeworks
