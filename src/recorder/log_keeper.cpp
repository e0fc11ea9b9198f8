#include "recorder/log_keeper.h"

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

#include "base/messages.h"
#include "base/units.h"
#include "recorder/net/event_loop.h"
#include "storage/log_archive.h"
#include "storage/log_format.h"

namespace tapeworks::recorder {
namespace {

using namespace std::chrono_literals;

constexpr auto kPassInterval = 60s;
constexpr auto kHurriedPassInterval = 5s;

}  // namespace

LogKeeper::LogKeeper(LogKeeperOptions options, std::function<uint64_t()> releasable_lsn)
    : options_(std::move(options)), releasable_lsn_(std::move(releasable_lsn)) {}

LogKeeper::~LogKeeper() {
  // Whoever needs to know has called finish() before.
  (void)finish();
}

void LogKeeper::start(std::function<void(const Error&)> on_failure) {
  on_failure_ = std::move(on_failure);
  thread_ = std::thread([this] { run(); });
}

void LogKeeper::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait_for(lock, is_hurried_ ? kHurriedPassInterval : kPassInterval,
                   [this] { return ending_ || pass_wanted_; });
    const bool is_last = ending_;
    pass_wanted_ = false;
    lock.unlock();
    Status done = keep_house_now();
    lock.lock();
    if (!done) {
      outcome_ = std::move(done);
      const Error error = outcome_.error();
      lock.unlock();
      on_failure_(error);
      return;
    }
    if (is_last) return;
  }
}

void LogKeeper::hurry() {
  is_hurried_ = true;
  {
    const std::lock_guard lock(mutex_);
    pass_wanted_ = true;
  }
  wake_.notify_one();
}

Status LogKeeper::finish() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
  const std::lock_guard lock(mutex_);
  return outcome_;
}

Status LogKeeper::keep_house_now() {
  try {
    Status done = keep_house(net::read_clocks().wall_ns);
    // A signal ends the recording elsewhere; what is left waits for the next start.
    if (!done && done.error().kind == ErrorKind::kCancelled) return {};
    // To compress takes room before it gives some; that waits as well.
    if (!done && done.error().kind == ErrorKind::kNoSpace) return {};
    return done;
  } catch (const std::exception& error) {
    return internal_error("looking after {}: {}", options_.folder.string(), error.what());
  }
}

/// What goes is not compressed first.
Status LogKeeper::keep_house(int64_t now_wall_ns) {
  TW_TRY(remove_old(now_wall_ns));
  if (!options_.archive) return {};
  TW_ASSIGN(const LogHousekeeping archived, archive_closed_segments(options_.folder));
  archived_segments_ += archived.done.size();
  return {};
}

Status LogKeeper::remove_old(int64_t now_wall_ns) {
  TW_ASSIGN(const std::vector<LogSegmentExtent> segments, log_segment_extents(options_.folder));
  uint64_t left_bytes = 0;
  for (const LogSegmentExtent& segment : segments) left_bytes += segment.file_bytes;
  const uint64_t releasable_lsn = releasable_lsn_();
  const bool is_shortening = is_hurried_ && options_.may_shorten;
  const int64_t keep_ns = is_shortening ? 0 : options_.keep.count();
  size_t removable = 0;
  bool is_shortened = false;
  // The newest says how far the numbers went.
  for (; removable + 1 < segments.size(); ++removable) {
    const bool is_released = segments[removable + 1].first_lsn <= releasable_lsn + 1;
    const bool is_old = segments[removable].end_wall_ns < now_wall_ns - keep_ns;
    const bool is_too_much = options_.max_bytes != 0 && left_bytes > options_.max_bytes;
    if (!is_released || !(is_old || is_too_much)) break;
    is_shortened |= !is_old;
    left_bytes -= segments[removable].file_bytes;
  }
  warn_of_size(left_bytes, options_.max_bytes != 0 && left_bytes > options_.max_bytes,
               is_shortened);
  if (removable == 0) return {};
  TW_ASSIGN(const LogHousekeeping removed,
            remove_segments_before(options_.folder, segments[removable].first_lsn));
  removed_segments_ += removed.done.size() + removed.damaged.size();
  for (const std::string& name : removed.damaged) {
    warn("{}: the segment is damaged; it was moved to {} instead of being removed", name,
         (options_.folder / kDamagedFolder).string());
  }
  return {};
}

/// Once for each time that it begins, not once a minute.
void LogKeeper::warn_of_size(uint64_t bytes, bool is_above, bool is_shortened) {
  if (is_above && !warned_above_) {
    warn(
        "the log in {} has {}, more than wal.max_bytes, and what is not published stays; "
        "is the output slow?",
        options_.folder.string(), format_byte_size(bytes));
  }
  if (is_shortened && !warned_shortened_) {
    warn("the log in {} reached wal.max_bytes, so less than wal.keep of it is kept for replay",
         options_.folder.string());
  }
  warned_above_ = is_above;
  warned_shortened_ |= is_shortened;
}

}  // namespace tapeworks::recorder
