#include "storage/log_reader.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "storage/log_segment_cursor.h"
#include "storage/log_segment_file.h"

namespace tapeworks {
namespace {

/// A segment that is archived or removed between being listed and opened: look again.
constexpr int kOpenAttemptsMax = 100;

}  // namespace

class LogReader::Impl {
 public:
  Impl(std::filesystem::path folder, uint64_t from_lsn)
      : folder_(std::move(folder)), from_lsn_(from_lsn), expected_lsn_(from_lsn) {}

  /// Opens the segment that holds from_lsn_, else the oldest. With an empty log nothing.
  Status open_first() {
    for (int attempt = 1;; ++attempt) {
      TW_ASSIGN(const auto segments, list_log_segments(folder_));
      if (segments.empty()) return {};
      auto behind = std::ranges::upper_bound(segments, from_lsn_, {}, &LogSegmentFile::first_lsn);
      const LogSegmentFile& first = behind == segments.begin() ? *behind : *std::prev(behind);
      const Status opened = open_segment(first);
      if (!opened && opened.error().kind == ErrorKind::kNotFound && attempt < kOpenAttemptsMax)
        continue;
      TW_TRY(opened);
      segment_before_ = {first.name(), 0, "older records are not kept"};
      if (from_lsn_ == 0 || first.first_lsn <= from_lsn_) expected_lsn_ = first.first_lsn;
      return {};
    }
  }

  Result<Step> next(uint64_t limit_lsn) {
    if (!cursor_) {
      TW_TRY(open_first());
      if (!cursor_) return LogReadEnd{};
    }
    if (expected_lsn_ > limit_lsn) return LogReadEnd{};
    while (true) {
      if (!held_) {
        TW_ASSIGN(const LogSegmentCursor::Step step, cursor_->next());
        if (const auto* damage = std::get_if<LogDamage>(&step)) {
          note_damage(damage->begin, damage->reason);
          continue;
        }
        if (std::get_if<LogSegmentEnd>(&step) != nullptr) {
          TW_ASSIGN(const bool moved, move_on(std::get<LogSegmentEnd>(step)));
          if (moved) continue;
          return end_here();
        }
        held_ = std::get<LogRecord>(step);
        settled_ = false;
      }
      if (held_->lsn < expected_lsn_) {
        note_damage(cursor_->position(), "a record is out of order");
        held_.reset();
        continue;
      }
      if (held_->lsn > limit_lsn) return stop_at_limit();
      if (!std::exchange(settled_, true)) {
        if (auto hole = hole_before(*held_)) return std::move(*hole);
      }
      const LogRecord record = *std::exchange(held_, std::nullopt);
      if (auto step = deliver(record)) return std::move(*step);
    }
  }

 private:
  struct Stumble {
    std::string segment;
    uint64_t offset = 0;
    std::string reason;
  };

  Status open_segment(const LogSegmentFile& file) {
    TW_ASSIGN(auto cursor, LogSegmentCursor::open(file));
    cursor_.emplace(std::move(cursor));
    file_ = file;
    first_damage_here_.reset();
    followed_ = false;
    return {};
  }

  void note_damage(uint64_t offset, const std::string& reason) {
    if (!first_damage_here_) first_damage_here_ = offset;
    if (!stumble_) stumble_ = {file_.name(), offset, reason};
  }

  /// To the next segment; false when there is none.
  Result<bool> move_on(const LogSegmentEnd& end) {
    for (int attempt = 1;; ++attempt) {
      TW_ASSIGN(const auto segments, list_log_segments(folder_));
      const auto next =
          std::ranges::upper_bound(segments, file_.first_lsn, {}, &LogSegmentFile::first_lsn);
      if (next == segments.end()) return false;
      // Only now is this segment known to be finished. What was appended between the look at its
      // end and the look into the folder has not been read yet.
      if (!end.has_end_mark && !std::exchange(followed_, true)) {
        look_again();
        return true;
      }
      const Stumble here{file_.name(), end.offset, "the records behind are not in the log"};
      const Status opened = open_segment(*next);
      if (opened) {
        segment_before_ = here;
        return true;
      }
      if (opened.error().kind != ErrorKind::kNotFound || attempt == kOpenAttemptsMax) {
        return std::unexpected(opened.error());
      }
    }
  }

  /// Forgets the damage seen in this segment and reads it again: it may have been half-written.
  void look_again() {
    if (!first_damage_here_) return;
    cursor_->look_again_at(*first_damage_here_);
    if (stumble_ && stumble_->segment == file_.name()) stumble_.reset();
    first_damage_here_.reset();
    held_.reset();
  }

  Step end_here() {
    LogReadEnd end;
    if (stumble_) end = {stumble_->segment, stumble_->offset};
    if (!file_.archived) look_again();
    return end;
  }

  /// A record above the limit is not for now. If damage stands before it, that may be a write at
  /// work: only what is at or below the limit is known to be finished.
  Step stop_at_limit() {
    if (!file_.archived) look_again();
    return LogReadEnd{};
  }

  std::optional<LogHole> hole_before(const LogRecord& record) {
    const uint64_t missing = records_missing_before(record, expected_lsn_);
    const uint64_t first = std::max(expected_lsn_, from_lsn_);
    const uint64_t end = expected_lsn_ + missing;
    const Stumble at = stumble_ ? *stumble_ : segment_before_;
    stumble_.reset();
    first_damage_here_.reset();
    if (missing == 0 || first >= end) return std::nullopt;
    return LogHole{at.segment, at.offset,   last_lsn_, record.lsn,
                   first,      end - first, false,     at.reason};
  }

  std::optional<Step> deliver(const LogRecord& record) {
    const uint64_t count = records_stood_for(record);
    expected_lsn_ = record.lsn + count;
    last_lsn_ = expected_lsn_ - 1;
    if (last_lsn_ < from_lsn_) return std::nullopt;
    if (record.kind != kLogKindLost) return record;
    const uint64_t first = std::max(record.lsn, from_lsn_);
    return LogHole{file_.name(), cursor_->position(),   record.lsn - 1, expected_lsn_,
                   first,        expected_lsn_ - first, true,           "a repair found them lost"};
  }

  const std::filesystem::path folder_;
  const uint64_t from_lsn_;
  uint64_t expected_lsn_;
  uint64_t last_lsn_ = 0;  ///< 0: none was read yet
  LogSegmentFile file_;
  std::optional<LogSegmentCursor> cursor_;
  std::optional<LogRecord> held_;  ///< read, not returned yet; its payload is the cursor's
  bool settled_ = false;           ///< the hole in front of held_ was returned or is none
  std::optional<uint64_t> first_damage_here_;
  std::optional<Stumble> stumble_;  ///< the first damage since the last intact record
  Stumble segment_before_;          ///< where the records of the segment before ended
  bool followed_ = false;  ///< the end of this segment was looked at after the next one was there
};

Result<LogReader> LogReader::open(const std::filesystem::path& folder, uint64_t from_lsn) {
  auto impl = std::make_unique<Impl>(folder, from_lsn);
  TW_TRY(impl->open_first());
  return LogReader(std::move(impl));
}

LogReader::LogReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

LogReader::LogReader(LogReader&& other) noexcept = default;

LogReader::~LogReader() = default;

Result<LogReader::Step> LogReader::next(uint64_t limit_lsn) { return impl_->next(limit_lsn); }

}  // namespace tapeworks
