#include "recorder/sink_thread.h"

#include <exception>
#include <new>
#include <utility>
#include <variant>

#include "base/messages.h"
#include "storage/log_archive.h"

namespace tapeworks::recorder {
namespace {

using namespace std::chrono_literals;

/// How long an idle sink waits before it looks whether it should end.
constexpr auto kIdleWait = 50ms;
constexpr auto kPublishedCheckInterval = 1s;
/// Records between two steps of what else there is to do: merges must not wait for quiet.
constexpr uint64_t kRecordsPerWork = 256;
constexpr auto kHousekeepingInterval = 60s;

}  // namespace

SinkThread::SinkThread(std::unique_ptr<Sink> sink, const LogWriter& writer,
                       Housekeeping housekeeping)
    : sink_(std::move(sink)),
      writer_(writer),
      housekeeping_(std::move(housekeeping)),
      consumed_lsn_(sink_->next_lsn() - 1) {
  publish_progress();
}

SinkThread::~SinkThread() {
  stop_now_ = true;
  if (thread_.joinable()) thread_.join();
}

void SinkThread::start(std::function<void(const Error&)> on_failure) {
  thread_ = std::thread([this, on_failure = std::move(on_failure)] {
    Status outcome = run_guarded();
    publish_progress();
    {
      const std::lock_guard lock(mutex_);
      outcome_ = outcome;
    }
    if (!outcome) on_failure(outcome.error());
  });
}

Status SinkThread::finish(uint64_t last_lsn) {
  end_lsn_ = last_lsn;
  if (thread_.joinable()) thread_.join();
  const std::lock_guard lock(mutex_);
  return outcome_;
}

SinkProgress SinkThread::progress() const {
  const std::lock_guard lock(mutex_);
  return progress_;
}

Status SinkThread::run_guarded() {
  try {
    return run();
  } catch (const std::bad_alloc&) {
    return over_budget("there is no memory to make files of the log; nothing of it is lost");
  } catch (const std::exception& error) {
    return internal_error("making files of the log: {}", error.what());
  }
}

Status SinkThread::run() {
  TW_ASSIGN(LogReader reader, LogReader::open(housekeeping_.folder, sink_->next_lsn()));
  next_housekeeping_ = std::chrono::steady_clock::now() + kHousekeepingInterval;
  while (!stop_now_) {
    bool is_at_end = false;
    for (uint64_t i = 0; i < kRecordsPerWork && !is_at_end; ++i) {
      TW_TRY(take_step(reader, is_at_end));
    }
    TW_ASSIGN(const bool did_work, sink_->work());
    publish_progress();
    if (std::chrono::steady_clock::now() >= next_housekeeping_) TW_TRY(keep_house());
    if (!is_at_end || did_work) continue;
    if (consumed_lsn() >= end_lsn_) {
      TW_TRY(sink_->finish());
      return keep_house();
    }
    if (read_limit_lsn_ > consumed_lsn()) {
      // Durable and not to be read: the reader finds damage with nothing intact behind it.
      if (end_lsn_ != kNoEnd) {
        return io_error(
            "{}: records {} to {} of the log cannot be read back; run tapeworks wal "
            "verify",
            housekeeping_.folder.string(), consumed_lsn() + 1, read_limit_lsn_);
      }
      std::this_thread::sleep_for(kIdleWait);
      continue;
    }
    // What failed for the writer is the network thread's to report.
    if (!writer_.wait_durable(consumed_lsn() + 1, kIdleWait)) {
      std::this_thread::sleep_for(kIdleWait);
    }
  }
  return {};
}

Status SinkThread::take_step(LogReader& reader, bool& is_at_end) {
  read_limit_lsn_ = writer_.durable_lsn();
  TW_ASSIGN(const LogReader::Step step, reader.next(read_limit_lsn_));
  if (const auto* record = std::get_if<LogRecord>(&step)) {
    TW_TRY(sink_->consume(*record));
    consumed_wall_ns_ = record->wall_time_ns;
    consumed_lsn_.store(record->lsn, std::memory_order_release);
  } else if (const auto* hole = std::get_if<LogHole>(&step)) {
    warn("{}: records {} to {} of the log are lost: {}", hole->segment, hole->first_missing_lsn,
         hole->first_missing_lsn + hole->missing_count - 1, hole->reason);
    TW_TRY(sink_->consume(*hole));
    consumed_lsn_.store(hole->first_missing_lsn + hole->missing_count - 1,
                        std::memory_order_release);
  } else {
    is_at_end = true;
  }
  return {};
}

Status SinkThread::keep_house() {
  next_housekeeping_ = std::chrono::steady_clock::now() + kHousekeepingInterval;
  if (!housekeeping_.archive) return {};
  TW_ASSIGN(const LogHousekeeping archived, archive_closed_segments(housekeeping_.folder));
  archived_segments_ += archived.done.size();
  return {};
}

void SinkThread::publish_progress() {
  // Looks at every partition, which is too much for each step.
  if (const auto now = std::chrono::steady_clock::now(); now >= next_published_check_) {
    next_published_check_ = now + kPublishedCheckInterval;
    published_lsn_ = sink_->releasable_lsn();
  }
  SinkProgress progress{sink_->status(), sink_->counts(), consumed_wall_ns_, archived_segments_,
                        published_lsn_};
  const std::lock_guard lock(mutex_);
  progress_ = std::move(progress);
}

}  // namespace tapeworks::recorder
