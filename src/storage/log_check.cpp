#include "storage/log_check.h"

#include <algorithm>
#include <chrono>
#include <system_error>
#include <thread>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/interrupt.h"
#include "storage/log_lock.h"
#include "storage/log_segment_cursor.h"
#include "storage/log_segment_file.h"
#include "storage/posix_file.h"

namespace tapeworks {
namespace fs = std::filesystem;
namespace {

constexpr uint64_t kRecordsBetweenInterruptChecks = 1024;
/// A write at work is over long before.
constexpr std::chrono::milliseconds kLookAgainAfter{100};

/// Damage that no record behind it has settled yet.
struct PendingDamage {
  size_t segment_index = 0;
  LogDamage damage;
};

/// Walks over the segments in order and puts each finding where it belongs. A value: the state
/// before a segment can be kept, to walk over it again.
class LogWalk {
 public:
  Status add_segment(const LogSegmentFile& file) {
    auto opened = LogSegmentCursor::open(file);
    if (!opened && opened.error().kind == ErrorKind::kNotFound && !file.archived) {
      // Archived since it was listed.
      LogSegmentFile archive = file;
      archive.archived = true;
      archive.path += kArchiveSuffix;
      return add_opened(archive, LogSegmentCursor::open(archive));
    }
    return add_opened(file, std::move(opened));
  }

  /// What no record settles any more.
  void finish() {
    for (const PendingDamage& pending : std::exchange(pending_, {})) {
      report(pending, torn(pending) ? LogFinding::Kind::kTornTail : LogFinding::Kind::kDamage, 0,
             0);
    }
  }

  std::vector<LogSegmentSummary>& segments() { return segments_; }

 private:
  LogSegmentSummary& current() { return segments_.back(); }

  Status add_opened(const LogSegmentFile& file, Result<LogSegmentCursor> opened) {
    TW_ASSIGN(LogSegmentCursor cursor, std::move(opened));
    segments_.push_back({});
    current().name = file.name();
    current().archived = file.archived;
    current().first_lsn = file.first_lsn;
    std::error_code error;
    const uint64_t file_bytes = fs::file_size(file.path, error);
    if (!error) current().file_bytes = file_bytes;
    if (!expected_lsn_) expected_lsn_ = file.first_lsn;
    while (true) {
      TW_ASSIGN(const LogSegmentCursor::Step step, cursor.next());
      if (const auto* record = std::get_if<LogRecord>(&step)) {
        if (current().record_count % kRecordsBetweenInterruptChecks == 0) {
          TW_TRY(check_interrupt());
        }
        add_record(*record, cursor.position());
      } else if (const auto* damage = std::get_if<LogDamage>(&step)) {
        add_damage(*damage);
      } else {
        end_segment(std::get<LogSegmentEnd>(step));
        current().header = cursor.header();
        return {};
      }
    }
  }

  void add_record(const LogRecord& record, uint64_t position) {
    LogSegmentSummary& summary = current();
    ++summary.record_count;
    if (record.kind != kLogKindLost) {
      if (summary.first_wall_time_ns == 0) summary.first_wall_time_ns = record.wall_time_ns;
      summary.last_wall_time_ns = record.wall_time_ns;
    }
    if (record.lsn < *expected_lsn_) {
      keep(summary, {.kind = LogFinding::Kind::kDamage,
                     .segment = summary.name,
                     .byte_offset = position,
                     .lsn_before = last_lsn_,
                     .detail = fmt::format("record {} is out of order", record.lsn)});
      return;
    }
    settle(record);
    const uint64_t count = records_stood_for(record);
    if (record.kind == kLogKindLost) {
      keep(summary, {.kind = LogFinding::Kind::kLost,
                     .segment = summary.name,
                     .byte_offset = position,
                     .lsn_before = record.lsn - 1,
                     .lsn_after = record.lsn + count,
                     .first_missing_lsn = record.lsn,
                     .missing_count = count,
                     .in_bytes = false,
                     .accounted_for = true,
                     .detail = "a repair found them lost"});
    }
    expected_lsn_ = record.lsn + count;
    last_lsn_ = *expected_lsn_ - 1;
    summary.last_lsn = last_lsn_;
  }

  /// With the next intact record it is known whether any is missing before it.
  void settle(const LogRecord& record) {
    const uint64_t missing = records_missing_before(record, *expected_lsn_);
    const auto pending = std::exchange(pending_, {});
    for (const PendingDamage& each : pending) {
      const bool is_torn = torn(each) && each.segment_index + 1 < segments_.size();
      if (missing > 0 && &each == &pending.front()) {
        report(each, LogFinding::Kind::kHole, record.lsn, missing);
      } else {
        report(each, is_torn ? LogFinding::Kind::kTornTail : LogFinding::Kind::kDamage, record.lsn,
               0);
      }
    }
    if (missing == 0 || !pending.empty()) return;
    // No byte is damaged: the file was cut at the border of a record, or one is gone.
    LogSegmentSummary& before = segments_.size() > 1 && current().record_count == 1
                                    ? segments_[segments_.size() - 2]
                                    : current();
    keep(before, {.kind = LogFinding::Kind::kHole,
                  .segment = before.name,
                  .byte_offset = before.used_bytes,
                  .lsn_before = last_lsn_,
                  .lsn_after = record.lsn,
                  .first_missing_lsn = *expected_lsn_,
                  .missing_count = missing,
                  .in_bytes = false,
                  .detail = "the records behind are not in the log"});
  }

  void add_damage(const LogDamage& damage) { pending_.push_back({segments_.size() - 1, damage}); }

  void end_segment(const LogSegmentEnd& end) {
    LogSegmentSummary& summary = current();
    summary.used_bytes = end.offset;
    summary.state = end.has_end_mark ? LogSegmentState::kClosed : LogSegmentState::kOpen;
    for (const PendingDamage& pending : pending_) {
      if (pending.segment_index + 1 != segments_.size()) continue;
      summary.state = torn(pending) ? LogSegmentState::kTorn : LogSegmentState::kDamaged;
    }
    if (std::ranges::any_of(summary.findings, &LogFinding::in_bytes)) {
      summary.state = LogSegmentState::kDamaged;
    }
  }

  bool torn(const PendingDamage& pending) const {
    return pending.damage.reaches_end && pending.damage.begin >= kLogSegmentHeaderBytes &&
           segments_[pending.segment_index].state != LogSegmentState::kClosed;
  }

  void report(const PendingDamage& pending, LogFinding::Kind kind, uint64_t lsn_after,
              uint64_t missing_count) {
    LogSegmentSummary& summary = segments_[pending.segment_index];
    const bool accounted_for = kind == LogFinding::Kind::kTornTail && lsn_after != 0;
    keep(summary, {.kind = kind,
                   .segment = summary.name,
                   .byte_offset = pending.damage.begin,
                   .lsn_before = last_lsn_,
                   .lsn_after = lsn_after,
                   .first_missing_lsn = missing_count == 0 ? 0 : *expected_lsn_,
                   .missing_count = missing_count,
                   .accounted_for = accounted_for,
                   .detail = fmt::format("{} (bytes {} to {})", pending.damage.reason,
                                         pending.damage.begin, pending.damage.end)});
    if (kind == LogFinding::Kind::kHole) summary.state = LogSegmentState::kDamaged;
  }

  static void keep(LogSegmentSummary& summary, LogFinding finding) {
    if (summary.findings.size() == kFindingsPerSegmentMax) {
      summary.findings.back().detail = "and more behind it; this list is cut here";
      return;
    }
    summary.findings.push_back(std::move(finding));
  }

  std::vector<LogSegmentSummary> segments_;
  std::optional<uint64_t> expected_lsn_;
  uint64_t last_lsn_ = 0;
  std::vector<PendingDamage> pending_;
};

/// Keeps of the last segment what both looks found in the same place.
void keep_what_agrees(LogSegmentSummary& look, const LogSegmentSummary& earlier) {
  std::erase_if(look.findings, [&](const LogFinding& finding) {
    return std::ranges::none_of(earlier.findings, [&](const LogFinding& other) {
      return other.kind == finding.kind && other.byte_offset == finding.byte_offset;
    });
  });
  if (look.findings.empty()) look.state = LogSegmentState::kOpen;
}

}  // namespace

const char* to_string(LogSegmentState state) {
  switch (state) {
    case LogSegmentState::kClosed:
      return "closed";
    case LogSegmentState::kOpen:
      return "open";
    case LogSegmentState::kTorn:
      return "torn";
    case LogSegmentState::kDamaged:
      return "damaged";
  }
  return "";
}

const char* to_string(LogFinding::Kind kind) {
  switch (kind) {
    case LogFinding::Kind::kHole:
      return "hole";
    case LogFinding::Kind::kLost:
      return "lost";
    case LogFinding::Kind::kTornTail:
      return "torn_tail";
    case LogFinding::Kind::kDamage:
      return "damage";
  }
  return "";
}

bool LogCheck::passed() const {
  return std::ranges::all_of(segments, [](const LogSegmentSummary& segment) {
    return std::ranges::all_of(segment.findings, &LogFinding::accounted_for);
  });
}

Result<LogCheck> check_log(const fs::path& folder) {
  TW_ASSIGN(const bool in_use, LogLock::is_held(folder));
  return check_log(folder, in_use);
}

Result<LogCheck> check_log(const fs::path& folder, bool in_use) {
  TW_ASSIGN(const auto files, list_log_segments(folder));
  LogWalk walk;
  LogWalk before_last;
  for (const LogSegmentFile& file : files) {
    if (&file == &files.back()) before_last = walk;
    TW_TRY(walk.add_segment(file));
  }
  walk.finish();
  if (in_use && !files.empty() && !walk.segments().back().findings.empty()) {
    const LogSegmentSummary first_look = walk.segments().back();
    std::this_thread::sleep_for(kLookAgainAfter);
    walk = std::move(before_last);
    TW_TRY(walk.add_segment(files.back()));
    walk.finish();
    keep_what_agrees(walk.segments().back(), first_look);
  }
  return LogCheck{in_use, std::move(walk.segments())};
}

}  // namespace tapeworks
