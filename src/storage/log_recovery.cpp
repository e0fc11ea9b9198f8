#include "storage/log_recovery.h"

#include <algorithm>
#include <ranges>
#include <system_error>

#include "storage/log_format.h"
#include "storage/log_segment_cursor.h"
#include "storage/log_segment_file.h"
#include "storage/posix_file.h"

namespace tapeworks {
namespace fs = std::filesystem;
namespace {

/// Of one segment. Bytes at its end that nobody can read may have held as many records as fit
/// there.
Result<LogEndFound> find_segment_end(const LogSegmentFile& file) {
  TW_ASSIGN(auto cursor, LogSegmentCursor::open(file));
  LogEndFound found{0, file.first_lsn + 1};  // the name is taken, even if no record is there
  while (true) {
    TW_ASSIGN(const LogSegmentCursor::Step step, cursor.next());
    if (const auto* record = std::get_if<LogRecord>(&step)) {
      found.last_lsn = std::max(found.last_lsn, record->lsn + records_stood_for(*record) - 1);
      found.first_free_lsn = std::max(found.first_free_lsn, found.last_lsn + 1);
    } else if (const auto* damage = std::get_if<LogDamage>(&step)) {
      if (!damage->reaches_end) continue;
      found.first_free_lsn += (damage->end - damage->begin) / kLogRecordInFileBytesMin + 1;
    } else {
      return found;
    }
  }
}

/// Segments that were set aside keep their names and numbers.
Result<uint64_t> first_free_behind_damaged(const fs::path& folder) {
  uint64_t first_free = 1;
  std::error_code error;
  fs::directory_iterator entries(folder / kDamagedFolder, error);
  if (error == std::errc::no_such_file_or_directory) return first_free;
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    // A second one of the same name has a number behind it.
    std::string name = entries->path().filename().string();
    const auto wal = name.find(".wal");
    if (wal != std::string::npos) name.resize(wal + 4);
    if (const auto parsed = parse_segment_name(name)) {
      first_free = std::max(first_free,
                            parsed->first_lsn + kLogSegmentFileBytesMax / kLogRecordInFileBytesMin);
    }
  }
  if (error) return system_error("list", folder / kDamagedFolder, error.value());
  return first_free;
}

}  // namespace

Result<LogEndFound> find_log_end(const fs::path& folder) {
  TW_ASSIGN(const auto segments, list_log_segments(folder));
  LogEndFound found;
  for (const LogSegmentFile& file : segments | std::views::reverse) {
    TW_ASSIGN(const LogEndFound in_file, find_segment_end(file));
    found.last_lsn = in_file.last_lsn;
    found.first_free_lsn = std::max(found.first_free_lsn, in_file.first_free_lsn);
    if (found.last_lsn != 0) break;
  }
  TW_ASSIGN(const uint64_t behind_damaged, first_free_behind_damaged(folder));
  found.first_free_lsn = std::max(found.first_free_lsn, behind_damaged);
  if (found.first_free_lsn > kLogLsnMax / 2) {
    return corrupt(
        "{} has records numbered up to {}, which no log reaches; set it aside and begin a "
        "new one",
        folder.string(), found.first_free_lsn - 1);
  }
  return found;
}

Status remove_partial_segments(const fs::path& folder) {
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    std::string name = entries->path().filename().string();
    if (!name.ends_with(kPartialSuffix)) continue;
    name.resize(name.size() - kPartialSuffix.size());
    const auto parsed = parse_segment_name(name);
    if (parsed && !parsed->archived) TW_TRY(remove_tree(entries->path()));
  }
  if (error) return system_error("list", folder, error.value());
  return {};
}

}  // namespace tapeworks
