#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/messages.h"
#include "base/run_stats.h"
#include "base/units.h"
#include "storage/bulk_sync.h"
#include "storage/generation_draft_internal.h"
#include "storage/generation_tree_internal.h"
#include "storage/object_generation_internal.h"

namespace tapeworks {
namespace fs = std::filesystem;
namespace {

/// Hard links are impossible here, but a copy may do.
bool needs_copy(int error_number) {
  switch (error_number) {
    case EXDEV:
    case EPERM:
    case EMLINK:
    case ENOTSUP:
    case ENOSYS:
      return true;
    default:
      return false;
  }
}

/// The link is at another place than its generations: one of the two was renamed.
Status require_own_generations(const DataDirectory& directory) {
  if (directory.kind != DataDirectory::Kind::kLink) return {};
  std::error_code error;
  if (fs::weakly_canonical(directory.current.parent_path(), error) ==
      fs::weakly_canonical(directory.generations, error)) {
    return {};
  }
  return invalid_argument(
      "{} leads to {}, but its generations should be in {}; rename the link and that folder "
      "together",
      directory.given.string(), directory.current.string(), directory.generations.string());
}

Status require_writable(const DataDirectory& directory) {
  TW_TRY(require_link_or_nothing(directory));
  TW_TRY(require_own_generations(directory));
  return require_wholly_adopted(directory);
}

/// A generation in a folder beside the data directory, which is a link.
class FolderDraft final : public GenerationDraft {
 public:
  FolderDraft(DataDirectory directory, WriterLock lock, GenerationWriterOptions options)
      : GenerationDraft(options),
        directory_(std::move(directory)),
        lock_(std::in_place, std::move(lock)) {}
  ~FolderDraft() override { FolderDraft::abandon(); }

  Status prepare();
  Status check_free_space(uint64_t bytes) const override;
  Status wait_until_readable() override { return {}; }
  Result<fs::path> make_temp_folder(const fs::path& parent) override;
  Status publish(const std::string& mode, const nlohmann::ordered_json& run_info) override;
  void abandon() override;

 private:
  bool is_over() const override { return !lock_.has_value(); }
  Status make_subfolder(const std::string& subfolder) override;
  Status store(const std::string& path, const FileContent& write, CheckpointSync how) override;
  Status keep_stored(const TableFile& file) override;
  Status keep_stored_checkpoints(const std::string& path) override;
  Status keep_checkpoint_file(const std::string& path);
  Result<FileDescriptor> create_data_file(const std::string& path) const;
  Status copy_file(const TableFile& file);
  Status complete_folder(const nlohmann::ordered_json& run_info);
  Status switch_link();
  Status remove_temp_folders();

  DataDirectory directory_;
  std::optional<WriterLock> lock_;  ///< nothing once the writer is done
  std::vector<TempFolder> temp_folders_;
  std::optional<BulkSync> sync_;  ///< from prepare() on
};

Status FolderDraft::prepare() {
  std::error_code error;
  if (directory_.kind == DataDirectory::Kind::kLink && fs::exists(directory_.current, error)) {
    TW_ASSIGN(base_, read_manifest(directory_.current));
    base_path_ = directory_.current;
  }
  TW_TRY(remove_leftovers(directory_));
  TW_ASSIGN(const std::vector<uint64_t> numbers, generation_numbers(directory_));
  number_ = numbers.empty() ? 1 : numbers.back() + 1;
  const fs::path partial = directory_.partial_generation(number_);
  TW_TRY(make_folders(partial));
  folder_ = partial;
  sync_.emplace(folder_);
  return {};
}

Result<FileDescriptor> FolderDraft::create_data_file(const std::string& path) const {
  auto file = create_file(folder_ / path);
  std::error_code error;
  if (!file && fs::exists(folder_ / path, error)) {
    return io_error(
        "{} has the same name as another file where upper and lower case are one; use a "
        "case-sensitive file system",
        (folder_ / path).string());
  }
  return file;
}

Status FolderDraft::make_subfolder(const std::string& subfolder) {
  const fs::path path = folder_ / subfolder;
  if (::mkdir(path.c_str(), 0777) != 0) return system_error("make folder", path, errno);
  return {};
}

Status FolderDraft::store(const std::string& path, const FileContent& write, CheckpointSync how) {
  TW_ASSIGN(FileDescriptor file, create_data_file(path));
  TW_TRY(write(
      [&](std::span<const std::byte> part) { return write_all(file, part, folder_ / path); }));
  if (how == CheckpointSync::kUnsynced) return file.close(folder_ / path);
  return sync_->add(std::move(file), folder_ / path);
}

Status FolderDraft::keep_stored(const TableFile& file) {
  const fs::path from = base_path_ / file.path;
  // Its content was synced when it was published; only the new name needs to be.
  if (::link(from.c_str(), (folder_ / file.path).c_str()) == 0) return {};
  if (needs_copy(errno)) return copy_file(file);
  return system_error("link", from, errno);
}

Status FolderDraft::keep_stored_checkpoints(const std::string& path) {
  const fs::path kept = base_path_ / path;
  std::error_code error;
  if (!fs::is_directory(kept, error)) return keep_checkpoint_file(path);
  fs::directory_iterator entries(kept, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    if (!entries->is_regular_file(error)) continue;
    TW_TRY(keep_checkpoint_file(path + "/" + entries->path().filename().string()));
  }
  return error ? system_error("list", kept, error.value()) : Status{};
}

Status FolderDraft::keep_checkpoint_file(const std::string& path) {
  std::error_code error;
  if (!fs::exists(base_path_ / path, error)) return {};
  TW_TRY(note_path(path));
  if (::link((base_path_ / path).c_str(), (folder_ / path).c_str()) == 0) return {};
  if (!needs_copy(errno)) return system_error("link", base_path_ / path, errno);
  TW_ASSIGN(const FileDescriptor source, open_file(base_path_ / path, O_RDONLY));
  TW_ASSIGN(FileDescriptor target, create_data_file(path));
  TW_TRY(hash_content(source, base_path_ / path, &target, folder_ / path));
  return sync_->add(std::move(target), folder_ / path);
}

Status FolderDraft::copy_file(const TableFile& file) {
  const fs::path from = base_path_ / file.path;
  const fs::path to = folder_ / file.path;
  TW_ASSIGN(const FileDescriptor source, open_file(from, O_RDONLY));
  TW_ASSIGN(FileDescriptor target, create_data_file(file.path));
  TW_ASSIGN(const StreamedContent content, hash_content(source, from, &target, to));
  if (content.byte_count != file.byte_count || content.xxh3 != file.xxh3) {
    return corrupt("{} does not have the checksum of its manifest; make its table anew",
                   from.string());
  }
  return sync_->add(std::move(target), to);
}

/// Everything inside the folder is final and safe after this, and the folder has its last name.
Status FolderDraft::complete_folder(const nlohmann::ordered_json& run_info) {
  {
    const PhaseTimer phase("sync");
    TW_TRY(sync_->finish());
  }
  TW_TRY(check_files_present(manifest_, folder_));
  TW_TRY(check_interrupt());
  TW_TRY(write_generation_records(folder_, manifest_, run_info));
  for (const std::string& subfolder : subfolders_) TW_TRY(sync_folder(folder_ / subfolder));
  TW_TRY(sync_folder(folder_));
  const fs::path whole = directory_.generation(number_);
  if (::rename(folder_.c_str(), whole.c_str()) != 0) return system_error("rename", folder_, errno);
  folder_ = whole;
  return sync_folder(directory_.generations);
}

Status FolderDraft::switch_link() {
  TW_TRY(check_interrupt());
  TW_TRY(replace_link(directory_, number_));
  const fs::path parent = directory_.link.parent_path();
  Status synced = sync_folder(parent);
  if (synced) return {};
  // Which of the two links is on the disk is unknown now, so both generations must stay. Whoever
  // looks gets the old one again.
  folder_.clear();
  const auto base_number = parse_generation_name(base_path_.filename().string());
  std::error_code error;
  if (base_number) {
    static_cast<void>(replace_link(directory_, *base_number));
  } else {
    fs::remove(directory_.link, error);
  }
  return synced;
}

Status FolderDraft::publish(const std::string& mode, const nlohmann::ordered_json& run_info) {
  if (!lock_) return internal_error("a generation is published once");
  TW_TRY(first_failure_);
  manifest_.mode = mode;
  TW_TRY(complete_folder(run_info));
  TW_TRY(switch_link());
  folder_.clear();
  if (!base_path_.empty()) mark_as_superseded(base_path_);
  if (const Status removed = remove_temp_folders(); !removed) warn_line(removed.error().message);
  collect_generations(directory_, number_, parse_generation_name(base_path_.filename().string()),
                      options_.keep_generations_for);
  sync_.reset();
  lock_.reset();
  return {};
}

Status FolderDraft::remove_temp_folders() {
  Status outcome;
  for (const TempFolder& temp : temp_folders_) {
    Status status = remove_temp_folder(directory_, temp.entry);
    if (!status && outcome) outcome = std::move(status);
  }
  temp_folders_.clear();
  return outcome;
}

void FolderDraft::abandon() {
  if (!lock_) return;
  sync_.reset();
  Status removed = remove_temp_folders();
  if (!folder_.empty() && removed) removed = remove_tree(folder_);
  if (!removed) warn("something is left for the next run to remove: {}", removed.error().message);
  folder_.clear();
  lock_.reset();
}

Status FolderDraft::check_free_space(uint64_t bytes) const {
  const fs::path& generations = directory_.generations;
  struct statvfs info{};
  if (::statvfs(generations.c_str(), &info) != 0) {
    return system_error("ask for the free space of", generations, errno);
  }
  const uint64_t free_bytes = uint64_t{info.f_bavail} * uint64_t{info.f_frsize};
  if (free_bytes >= bytes) return {};
  return io_error("{} needs {} more on its file system, and {} are free; free some space first",
                  directory_.given.string(), format_byte_size(bytes), format_byte_size(free_bytes));
}

Result<fs::path> FolderDraft::make_temp_folder(const fs::path& parent) {
  TW_ASSIGN(TempFolder temp, make_temp_folder_in(directory_, parent));
  temp_folders_.push_back(temp);
  return temp.path;
}

}  // namespace

Result<std::unique_ptr<GenerationDraft>> begin_folder_draft(const fs::path& data_dir,
                                                            GenerationWriterOptions options) {
  TW_ASSIGN(const DataDirectory seen, locate_data_directory(data_dir));
  TW_TRY(require_writable(seen));
  TW_ASSIGN(WriterLock lock, WriterLock::acquire(seen));
  // Looked at once more, because the link may have changed before the lock was ours.
  TW_ASSIGN(DataDirectory directory, locate_data_directory(data_dir));
  TW_TRY(require_writable(directory));
  auto draft = std::make_unique<FolderDraft>(std::move(directory), std::move(lock), options);
  TW_TRY(draft->prepare());
  return draft;
}

Status back_to_generation(const fs::path& data_dir, uint64_t number) {
  if (is_object_address(data_dir.native())) {
    return back_to_object_generation(data_dir.string(), number);
  }
  TW_ASSIGN(const DataDirectory seen, locate_data_directory(data_dir));
  TW_TRY(require_writable(seen));
  std::error_code error;
  const bool has_generations = fs::exists(seen.generations, error);
  if (!has_generations) {
    return invalid_argument("there is no data directory {}; check the name given with --data",
                            seen.given.string());
  }
  TW_ASSIGN(const WriterLock lock, WriterLock::acquire(seen));
  TW_ASSIGN(const DataDirectory directory, locate_data_directory(data_dir));
  TW_TRY(require_writable(directory));
  const fs::path generation = directory.generation(number);
  if (!fs::exists(generation / kManifestName, error)) {
    return not_found("{} has no generation {}; `tapeworks generations --data {}` lists them",
                     directory.given.string(), number, directory.given.string());
  }
  TW_ASSIGN(const Manifest manifest, read_manifest(generation));
  TW_TRY(check_files_present(manifest, generation));
  if (directory.kind == DataDirectory::Kind::kLink && directory.current != generation) {
    mark_as_superseded(directory.current);
  }
  TW_TRY(replace_link(directory, number));
  return sync_folder(directory.link.parent_path());
}

}  // namespace tapeworks
