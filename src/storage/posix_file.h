#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace tapeworks {

/// kIo, or kNoSpace, for a failed system call: "cannot ACTION PATH: REASON", and what to do about
/// it.
std::unexpected<Error> system_error(std::string_view action, const std::filesystem::path& path,
                                    int error_number);

/// An open file. Destruction closes it; who needs to know whether that went well calls close().
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int descriptor) : descriptor_(descriptor) {}
  FileDescriptor(FileDescriptor&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor();

  int get() const { return descriptor_; }
  /// `path` is for the message only.
  Status close(const std::filesystem::path& path);

 private:
  int descriptor_ = -1;
};

/// Opens with O_CLOEXEC added to `flags`.
Result<FileDescriptor> open_file(const std::filesystem::path& path, int flags);

/// Makes a new file; one that exists already is an error.
Result<FileDescriptor> create_file(const std::filesystem::path& path);

/// Writes all of `content` at the current position.
Status write_all(const FileDescriptor& file, std::span<const std::byte> content,
                 const std::filesystem::path& path);

/// One flock() call with `operation` (LOCK_SH, LOCK_EX, with LOCK_NB or without). The lock goes
/// with the descriptor.
enum class LockOutcome { kLocked, kHeldElsewhere, kUnsupported };
Result<LockOutcome> lock_file(const FileDescriptor& file, int operation,
                              const std::filesystem::path& path);

/// Makes the content of a file survive a power cut. A failure is final: the kernel may have dropped
/// the pages, so a second call could succeed and mean nothing.
Status sync_file(const FileDescriptor& file, const std::filesystem::path& path);

/// Whether sync_file_system() makes files durable on the file system of `folder` and tells of each
/// failure since `folder` was opened: known of ext4, XFS, Btrfs, F2FS and tmpfs since Linux 5.17.
/// syncfs(2) tells of pages that could not be written since 5.8, and of a journal that could not
/// be since 5.17. Elsewhere files are to be synced one by one.
bool can_sync_file_system(const FileDescriptor& folder);

/// Makes everything that was written to the file system of `folder` survive a power cut, also what
/// other programs wrote. A failure is final, as that of sync_file(). It may be an older one of that
/// file system which nobody has been told yet.
Status sync_file_system(const FileDescriptor& folder, const std::filesystem::path& path);

/// Makes the names inside a folder survive a power cut. File systems that cannot do that for a
/// folder give no error.
Status sync_folder(const std::filesystem::path& folder);

/// Writes, syncs and closes a new file.
Status write_synced_file(const std::filesystem::path& path, std::string_view text);

/// Gives a file another name in one step; what had that name is replaced. The new name survives a
/// power cut once its folder is synced.
Status rename_file(const std::filesystem::path& from, const std::filesystem::path& to);

/// Removes a file. Nothing there is no error.
Status remove_file(const std::filesystem::path& path);

/// Puts `text` at `path`, synced, in one step: a reader sees the old file or the new one, whole.
/// The new content is written to `temporary` first, in the same file system; what is there is
/// replaced.
Status replace_text_file(const std::filesystem::path& path, const std::filesystem::path& temporary,
                         std::string_view text);

/// From the current position to the end.
Result<std::string> read_to_end(const FileDescriptor& file, const std::filesystem::path& path);
Result<std::string> read_text_file(const std::filesystem::path& path);

/// XXH3-64 and size of everything from the current position on. What is read is also written to
/// `copy_to`, unless that is null.
struct StreamedContent {
  uint64_t byte_count = 0;
  uint64_t xxh3 = 0;
};
Result<StreamedContent> hash_content(const FileDescriptor& file, const std::filesystem::path& path,
                                     const FileDescriptor* copy_to,
                                     const std::filesystem::path& copy_path);

/// Makes a folder and the missing ones above it, each synced into its parent.
Status make_folders(const std::filesystem::path& folder);

/// Removes a folder if nothing is in it; otherwise, and when it is not there, nothing happens.
Status remove_empty_folder(const std::filesystem::path& folder);

/// Removes a folder or file with all that is in it. Nothing there is no error.
Status remove_tree(const std::filesystem::path& path);

}  // namespace tapeworks
