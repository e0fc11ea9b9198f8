#include "storage/staged_folder.h"

#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace tapeworks {
namespace {

namespace fs = std::filesystem;

/// The folders from `folder` upwards that do not exist yet.
std::vector<fs::path> missing_folders(const fs::path& folder) {
  std::vector<fs::path> missing;
  std::error_code error;
  for (fs::path path = fs::absolute(folder, error).lexically_normal();
       !path.empty() && !fs::exists(path, error); path = path.parent_path()) {
    missing.push_back(path);
    if (path == path.parent_path()) break;
  }
  return missing;
}

Result<FileDescriptor> lock_folder(const fs::path& folder) {
  TW_ASSIGN(FileDescriptor lock, open_file(folder, O_RDONLY | O_DIRECTORY));
  if (flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) return system_error("lock", folder, errno);
  return io_error("{}: another process is writing into this folder; wait for it or choose another",
                  folder.string());
}

}  // namespace

Result<StagedFolder> StagedFolder::begin(const fs::path& folder, std::string_view job) {
  std::vector<fs::path> made = missing_folders(folder);
  TW_TRY(make_folders(folder));
  TW_ASSIGN(FileDescriptor lock, lock_folder(folder));
  StagedFolder staged(folder, folder / fmt::format(".{}.partial", job), std::move(made),
                      std::move(lock));
  TW_TRY(remove_tree(staged.staging_));
  TW_TRY(make_folders(staged.staging_));
  return staged;
}

StagedFolder::~StagedFolder() {
  if (staging_.empty()) return;
  // A failure leaves hidden rubbish, which the next begin() removes.
  (void)remove_tree(staging_);
  if (published_) return;
  // Only what is empty goes: another process may have put something there since.
  for (const fs::path& folder : made_) {
    if (rmdir(folder.c_str()) != 0) return;
  }
}

fs::path StagedFolder::add_file(const std::string& name) {
  names_.push_back(name);
  return staging_ / name;
}

Status StagedFolder::publish() {
  for (const std::string& name : names_) {
    TW_TRY(rename_file(staging_ / name, folder_ / name));
    published_ = true;
  }
  return sync_folder(folder_);
}

}  // namespace tapeworks
