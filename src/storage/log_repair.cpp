#include "storage/log_repair.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <system_error>
#include <utility>
#include <variant>

#include <unistd.h>

#include "storage/log_archive.h"
#include "storage/log_check.h"
#include "storage/log_lock.h"
#include "storage/log_recovery.h"
#include "storage/log_segment_cursor.h"
#include "storage/log_segment_file.h"
#include "storage/log_segment_writer.h"
#include "storage/posix_file.h"

namespace tapeworks {
namespace fs = std::filesystem;
namespace {

struct LostRecords {
  uint64_t first_lsn = 0;
  uint64_t count = 0;
};

Status append_lost(LogSegmentWriter& segment, const LostRecords& lost) {
  LogRecord record;
  record.lsn = lost.first_lsn;
  record.kind = kLogKindLost;
  std::array<std::byte, sizeof(uint64_t)> count{};
  store_little_endian(count.data(), lost.count);
  return segment.append(encode_record_header(record), count);
}

class Repair {
 public:
  explicit Repair(const fs::path& folder) : folder_(folder) {}

  Result<LogRepair> run() {
    TW_ASSIGN(const LogCheck check, check_log(folder_, false));
    TW_ASSIGN(const auto files, list_log_segments(folder_));
    for (size_t i = 0; i < files.size(); ++i) TW_TRY(mend(files[i], check.segments[i]));
    return done_;
  }

 private:
  Status mend(const LogSegmentFile& file, const LogSegmentSummary& summary) {
    std::vector<LostRecords> holes;
    bool rewrite = false;
    for (const LogFinding& finding : summary.findings) {
      if (finding.kind == LogFinding::Kind::kLost) continue;
      // A hole between two whole segments needs neither of them to be rewritten.
      rewrite = rewrite || finding.in_bytes || finding.first_missing_lsn < summary.last_lsn;
      if (finding.missing_count > 0)
        holes.push_back({finding.first_missing_lsn, finding.missing_count});
    }
    if (rewrite) return rewrite_segment(file, summary, holes);
    for (const LostRecords& hole : holes) TW_TRY(add_segment(hole));
    return {};
  }

  Status rewrite_segment(const LogSegmentFile& file, const LogSegmentSummary& summary,
                         const std::vector<LostRecords>& holes) {
    TW_ASSIGN(auto cursor, LogSegmentCursor::open(file));
    LogSegmentHeader header = summary.header.value_or(LogSegmentHeader{});
    header.first_lsn = file.first_lsn;
    const fs::path partial = partial_path(file.first_lsn);
    TW_ASSIGN(auto segment,
              LogSegmentWriter::create(partial, header, 0, LogFileOperations::system()));
    uint64_t next_lsn = 0;
    auto hole = holes.begin();
    const auto append_holes_below = [&](uint64_t lsn) -> Status {
      for (; hole != holes.end() && hole->first_lsn < lsn; ++hole) {
        TW_TRY(append_lost(segment, *hole));
        next_lsn = hole->first_lsn + hole->count;
        done_.lost_record_count += hole->count;
      }
      return {};
    };
    while (true) {
      TW_ASSIGN(const LogSegmentCursor::Step step, cursor.next());
      if (std::holds_alternative<LogSegmentEnd>(step)) break;
      const auto* record = std::get_if<LogRecord>(&step);
      // What is out of order stays in the original.
      if (record == nullptr || record->lsn < next_lsn) continue;
      TW_TRY(append_holes_below(record->lsn));
      TW_TRY(segment.append(encode_record_header(*record), record->payload));
      next_lsn = record->lsn + records_stood_for(*record);
      ++done_.kept_record_count;
    }
    TW_TRY(append_holes_below(kLogLsnMax));
    TW_TRY(segment.close(next_lsn == 0 ? 0 : next_lsn - 1));
    TW_TRY(keep_in_damaged(folder_, file.path));
    TW_TRY(publish(partial, file.first_lsn));
    done_.rewritten.push_back(file.name());
    return remove_archived_form(file);
  }

  /// The rewritten segment is a plain file. A compressed original is in damaged/ by now, but a
  /// compressed twin that archiving left beside a plain one is not.
  Status remove_archived_form(const LogSegmentFile& file) {
    fs::path archive = file.path;
    std::error_code error;
    if (!file.archived) {
      archive += kArchiveSuffix;
      if (!fs::exists(archive, error)) return {};
      TW_TRY(keep_in_damaged(folder_, archive));
    }
    if (::unlink(archive.c_str()) != 0) return system_error("remove", archive, errno);
    return sync_folder(folder_);
  }

  Status add_segment(const LostRecords& lost) {
    const int64_t now = std::chrono::duration_cast<std::chrono::nanoseconds>(
                            std::chrono::system_clock::now().time_since_epoch())
                            .count();
    const fs::path partial = partial_path(lost.first_lsn);
    TW_ASSIGN(auto segment, LogSegmentWriter::create(partial, {lost.first_lsn, now, {}}, 0,
                                                     LogFileOperations::system()));
    TW_TRY(append_lost(segment, lost));
    TW_TRY(segment.close(lost.first_lsn + lost.count - 1));
    TW_TRY(publish(partial, lost.first_lsn));
    done_.added.push_back(segment_name(lost.first_lsn));
    done_.lost_record_count += lost.count;
    return {};
  }

  fs::path partial_path(uint64_t first_lsn) const {
    return folder_ / (segment_name(first_lsn) + std::string(kPartialSuffix));
  }

  Status publish(const fs::path& partial, uint64_t first_lsn) {
    if (::rename(partial.c_str(), (folder_ / segment_name(first_lsn)).c_str()) != 0) {
      return system_error("rename", partial, errno);
    }
    return sync_folder(folder_);
  }

  const fs::path folder_;
  LogRepair done_;
};

}  // namespace

Result<LogRepair> repair_log(const fs::path& folder) {
  // Before anything is made there.
  TW_ASSIGN(const auto files, list_log_segments(folder));
  if (files.empty()) {
    return invalid_argument("{} holds no segment of a write-ahead log; name the folder of one",
                            folder.string());
  }
  TW_ASSIGN(const LogLock lock, LogLock::acquire(folder));
  TW_TRY(remove_partial_segments(folder));
  return Repair(folder).run();
}

}  // namespace tapeworks
