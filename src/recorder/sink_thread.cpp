#include "recorder/sink_thread.h"

#include <exception>
#include <new>
#include <utility>
#include <variant>

#include "base/messages.h"
#include "recorder/net/event_loop.h"

namespace tapeworks::recorder {
namespace {

using namespace std::chrono_literals;

/// How long an idle sink waits before it looks whether it should end.
constexpr auto kIdleWait = 50ms;
/// The log becomes durable every wal.sync_interval (10 ms), and each look of the sink at its end
/// costs as much as some ten records.
constexpr auto kBatchInterval = 50ms;
/// Records between two looks at the clock.
constexpr uint64_t kRecordsPerLook = 256;
/// What may be forgotten is a question to every open file, and nobody is in a hurry.
constexpr auto kReleaseInterval = 1s;
/// A question to every stream; some exchanges give out the last hundred trades only.
constexpr auto kTradeGapsInterval = 250ms;
/// The counters are maps, and copied for whoever asks.
constexpr auto kProgressInterval = 100ms;
/// Between two looks at what retention wants, and between two hours deleted to make room.
constexpr auto kDeletionInterval = 1s;

}  // namespace

SinkThread::SinkThread(std::unique_ptr<Sink> sink, const LogWriter& writer,
                       SinkThreadOptions options)
    : sink_(std::move(sink)),
      writer_(writer),
      options_(std::move(options)),
      consumed_lsn_(sink_->next_lsn() - 1),
      first_lsn_(writer.end_lsn()) {
  publish_progress();
}

SinkThread::~SinkThread() {
  stop_now_ = true;
  if (thread_.joinable()) thread_.join();
}

void SinkThread::start(std::function<void(const Error&)> on_failure) {
  thread_ = std::thread([this, on_failure = std::move(on_failure)] {
    Status outcome = run_guarded();
    if (sink_) publish_progress();
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

void SinkThread::want_trade_gaps(std::set<Venue> venues) {
  const std::lock_guard lock(mutex_);
  wanted_venues_ = std::move(venues);
}

std::vector<TradeGap> SinkThread::open_trade_gaps() const {
  const std::lock_guard lock(mutex_);
  return open_trade_gaps_;
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
  while (true) {
    Status done = run_sink();
    const bool may_wait = !done && done.error().kind == ErrorKind::kNoSpace && options_.reopen;
    if (!may_wait) return done;
    TW_TRY(wait_and_reopen(done.error()));
  }
}

/// At the end there is one more attempt, and nobody waits.
Status SinkThread::wait_and_reopen(const Error& no_space) {
  warn("{}; files of the log are made when there is room, and nothing is lost", no_space.message);
  const bool was_ending = end_lsn_ != kNoEnd;
  if (sink_) TW_TRY(sink_->discard_unfinished());
  sink_.reset();
  options_.on_no_space();
  if (was_ending) return std::unexpected(no_space);
  while (true) {
    while (options_.disk_is_full() && end_lsn_ == kNoEnd && !stop_now_) {
      std::this_thread::sleep_for(kIdleWait);
    }
    auto reopened = options_.reopen();
    if (reopened) {
      sink_ = std::move(*reopened);
      consumed_lsn_.store(sink_->next_lsn() - 1, std::memory_order_release);
      // It goes back to its checkpoint, and what fills a gap may come only behind that.
      first_lsn_ = writer_.end_lsn();
      return {};
    }
    const bool may_wait = reopened.error().kind == ErrorKind::kNoSpace && end_lsn_ == kNoEnd;
    if (!may_wait) return std::unexpected(std::move(reopened.error()));
    options_.on_no_space();
  }
}

/// One step of what waits: joining parts, publishing, removing.
Result<bool> SinkThread::work() {
  const auto begin = std::chrono::steady_clock::now();
  TW_ASSIGN(const bool did_work, sink_->work());
  turns_.worked(begin, std::chrono::steady_clock::now());
  return did_work;
}

/// What retention wants, an hour at a time, and what a disk that is short needs.
Status SinkThread::work_for_space(bool& did_work) {
  if (save_space_.exchange(false)) {
    TW_TRY(sink_->save_space());
    turns_ = {};  // what it has made superfluous is removed by the next step
  }
  const RetentionConfig& retention = options_.retention;
  const auto now = std::chrono::steady_clock::now();
  if (!retention.allow_delete || now < next_deletion_) return {};
  RetentionLimits limits;
  const int64_t now_ns = net::read_clocks().wall_ns;
  const auto before_ns = [now_ns](uint64_t hours) {
    return now_ns - static_cast<int64_t>(hours) * kHourNs;
  };
  if (retention.hours != 0) limits.before_ns = before_ns(retention.hours);
  for (const auto& [exchange, hours] : {std::pair{"binance", retention.binance_hours},
                                        {"kucoin", retention.kucoin_hours},
                                        {"gate", retention.gate_hours}}) {
    if (hours != 0) limits.exchange_before_ns[exchange] = before_ns(hours);
  }
  limits.bytes_max = retention.disk_soft_limit.bytes;
  limits.makes_room = makes_room_;
  TW_ASSIGN(const bool has_more, sink_->delete_old(limits));
  did_work |= has_more;
  // What is freed shows in the next round of who asked for room.
  if (!has_more || limits.makes_room) next_deletion_ = now + kDeletionInterval;
  return {};
}

Status SinkThread::run_sink() {
  TW_ASSIGN(LogReader reader, LogReader::open(options_.log_folder, sink_->next_lsn()));
  turns_ = {};
  while (!stop_now_) {
    bool is_at_end = false;
    for (uint64_t i = 0; i < kRecordsPerLook && !is_at_end; ++i) {
      TW_TRY(take_step(reader, is_at_end));
    }
    bool did_work = false;
    if (is_at_end || turns_.is_due(std::chrono::steady_clock::now(), sink_->waiting_merges())) {
      TW_ASSIGN(did_work, work());
    }
    TW_TRY(work_for_space(did_work));
    const auto now = std::chrono::steady_clock::now();
    if (now >= next_progress_) {
      next_progress_ = now + kProgressInterval;
      publish_progress();
    }
    if (now >= next_release_) {
      next_release_ = now + kReleaseInterval;
      releasable_lsn_.store(sink_->releasable_lsn(), std::memory_order_release);
    }
    if (now >= next_trade_gaps_) {
      next_trade_gaps_ = now + kTradeGapsInterval;
      publish_trade_gaps();
    }
    if (!is_at_end || did_work) continue;
    if (consumed_lsn() >= end_lsn_) {
      TW_TRY(sink_->finish());
      releasable_lsn_.store(sink_->releasable_lsn(), std::memory_order_release);
      return {};
    }
    if (read_limit_lsn_ > consumed_lsn()) {
      // Durable and not to be read: the reader finds damage with nothing intact behind it.
      if (end_lsn_ != kNoEnd) {
        return io_error(
            "{}: records {} to {} of the log cannot be read back; run tapeworks wal "
            "verify",
            options_.log_folder.string(), consumed_lsn() + 1, read_limit_lsn_);
      }
      std::this_thread::sleep_for(kIdleWait);
      continue;
    }
    // What failed for the writer is the network thread's to report.
    if (!writer_.wait_durable(consumed_lsn() + 1, kIdleWait)) {
      std::this_thread::sleep_for(kIdleWait);
    } else if (end_lsn_ == kNoEnd) {
      std::this_thread::sleep_until(now + kBatchInterval);
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

void SinkThread::publish_trade_gaps() {
  if (consumed_lsn() < first_lsn_) return;
  std::set<Venue> venues;
  {
    const std::lock_guard lock(mutex_);
    venues = wanted_venues_;
  }
  std::vector<TradeGap> gaps = sink_->open_trade_gaps(venues, TradeBackfill::kGapsMax);
  const std::lock_guard lock(mutex_);
  open_trade_gaps_ = std::move(gaps);
}

void SinkThread::publish_progress() {
  SinkProgress progress{sink_->status(), sink_->counts(), consumed_wall_ns_};
  const std::lock_guard lock(mutex_);
  progress_ = std::move(progress);
}

}  // namespace tapeworks::recorder
