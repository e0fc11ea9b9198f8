#include "storage/log_archive.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <string>
#include <system_error>
#include <variant>

#include <unistd.h>

#include "base/interrupt.h"
#include "storage/log_archive_file.h"
#include "storage/log_format.h"
#include "storage/log_segment_cursor.h"
#include "storage/log_segment_file.h"
#include "storage/posix_file.h"

namespace tapeworks {
namespace fs = std::filesystem;
namespace {

Result<bool> has_damage(const LogSegmentFile& file) {
  TW_ASSIGN(auto cursor, LogSegmentCursor::open(file));
  while (true) {
    TW_ASSIGN(const LogSegmentCursor::Step step, cursor.next());
    if (std::holds_alternative<LogDamage>(step)) return true;
    if (std::holds_alternative<LogSegmentEnd>(step)) return false;
  }
}

/// Of a process that was killed when it had made the file, and written nothing.
Result<bool> is_empty(const LogSegmentFile& file) {
  std::error_code error;
  const uint64_t bytes = fs::file_size(file.path, error);
  if (error) return io_error("cannot look at {}: {}", file.path.string(), error.message());
  return bytes == 0;
}

Status unlink_file(const fs::path& path) {
  if (::unlink(path.c_str()) != 0) return system_error("remove", path, errno);
  return {};
}

/// Writes `archive`, and reads it back.
Status write_and_compare(const LogSegmentFile& file, const LogSegmentFile& archive) {
  TW_ASSIGN(FileDescriptor to, create_file(archive.path));
  TW_TRY(write_archive(file, to, archive.path));
  TW_TRY(sync_file(to, archive.path));
  TW_TRY(to.close(archive.path));
  TW_ASSIGN(const bool same, same_content(file, archive));
  if (same) return {};
  return io_error("{} does not read back as it was written; check the disk and the memory",
                  archive.path.string());
}

Status archive_segment(const fs::path& folder, const LogSegmentFile& file) {
  LogSegmentFile archive = file;
  archive.archived = true;
  archive.path += kArchiveSuffix;
  LogSegmentFile partial = archive;
  partial.path += kPartialSuffix;
  TW_TRY(remove_file(partial.path));  // of a crash
  if (const Status written = write_and_compare(file, partial); !written) {
    // A full disk needs its room.
    TW_TRY(remove_file(partial.path));
    return written;
  }
  if (::rename(partial.path.c_str(), archive.path.c_str()) != 0) {
    return system_error("rename", partial.path, errno);
  }
  TW_TRY(sync_folder(folder));
  return unlink_file(file.path);
}

}  // namespace

Status keep_in_damaged(const fs::path& folder, const fs::path& file) {
  const fs::path damaged = folder / kDamagedFolder;
  TW_TRY(make_folders(damaged));
  const std::string name = file.filename().string();
  for (int number = 1;; ++number) {
    const fs::path to = damaged / (number == 1 ? name : name + "." + std::to_string(number));
    if (::link(file.c_str(), to.c_str()) == 0) return sync_folder(damaged);
    if (errno != EEXIST) return system_error("set aside", file, errno);
  }
}

Result<std::vector<LogSegmentExtent>> log_segment_extents(const fs::path& folder) {
  TW_ASSIGN(const auto segments, list_log_segments(folder));
  std::vector<LogSegmentExtent> extents(segments.size());
  int64_t end_wall_ns = std::numeric_limits<int64_t>::max();
  for (size_t i = segments.size(); i-- > 0;) {
    std::error_code error;
    const uint64_t file_bytes = fs::file_size(segments[i].path, error);
    if (error) {
      return io_error("cannot look at {}: {}", segments[i].path.string(), error.message());
    }
    extents[i] = {segments[i].first_lsn, file_bytes, end_wall_ns};
    TW_ASSIGN(const auto cursor, LogSegmentCursor::open(segments[i]));
    if (cursor.header()) end_wall_ns = cursor.header()->created_ns;
  }
  return extents;
}

Result<LogHousekeeping> archive_closed_segments(const fs::path& folder) {
  TW_ASSIGN(auto segments, list_log_segments(folder));
  LogHousekeeping result;
  for (size_t i = 0; i + 1 < segments.size(); ++i) {
    const LogSegmentFile& file = segments[i];
    if (file.archived) continue;
    TW_TRY(check_interrupt());
    // An archive without a chunk could not be told from a damaged one.
    TW_ASSIGN(const bool empty, is_empty(file));
    if (empty) continue;
    TW_ASSIGN(const bool damaged, has_damage(file));
    if (!damaged) TW_TRY(archive_segment(folder, file));
    (damaged ? result.damaged : result.done).push_back(file.name());
  }
  return result;
}

Result<LogHousekeeping> remove_segments_before(const fs::path& folder, uint64_t lsn) {
  TW_ASSIGN(auto segments, list_log_segments(folder));
  LogHousekeeping result;
  // The numbers only rise, so a segment ends below the first number of the next one.
  for (size_t i = 0; i + 1 < segments.size() && segments[i + 1].first_lsn <= lsn; ++i) {
    const LogSegmentFile& file = segments[i];
    TW_TRY(check_interrupt());
    TW_ASSIGN(const bool damaged, has_damage(file));
    if (damaged) TW_TRY(keep_in_damaged(folder, file.path));
    TW_TRY(unlink_file(file.path));
    // A crash while archiving leaves both forms; the list shows the plain one only.
    if (!file.archived) {
      fs::path twin = file.path;
      TW_TRY(remove_tree(twin += kArchiveSuffix));
    }
    (damaged ? result.damaged : result.done).push_back(file.name());
  }
  if (!result.done.empty() || !result.damaged.empty()) TW_TRY(sync_folder(folder));
  return result;
}

}  // namespace tapeworks
