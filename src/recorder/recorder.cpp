#include "recorder/recorder.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include <arrow/memory_pool.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/messages.h"
#include "recorder/backfiller.h"
#include "recorder/disk_keeper.h"
#include "recorder/feed_set.h"
#include "recorder/frame_log.h"
#include "recorder/log_keeper.h"
#include "recorder/net/service_notifier.h"
#include "recorder/recorder_monitor.h"
#include "recorder/recorder_status.h"
#include "recorder/sink_thread.h"
#include "storage/heap_memory.h"
#include "storage/memory_budget.h"
#include "storage/posix_file.h"

namespace tapeworks::recorder {
namespace {

using namespace std::chrono_literals;

constexpr int kSecondSignalExitCode = 130;
/// Of the budget, for rows that are in no part yet; the rest is the log's buffer, merges, and what
/// is known of streams.
constexpr uint64_t kBufferShare = 4;
/// Code, stacks, and the buffers of connections (docs/memory.md).
constexpr uint64_t kFixedBytes = 44 * kMiB;
constexpr auto kStartCheckInterval = 100ms;
constexpr auto kHeartbeatInterval = 1s;
/// How long servers get to answer a close.
constexpr auto kClosingMax = 2s;
constexpr auto kClosingCheckInterval = 20ms;

extern "C" void end_at_once(int) { ::_exit(kSecondSignalExitCode); }
extern "C" void end_at_second_signal(int number) { std::signal(number, end_at_once); }

uint64_t random_seed() {
  uint64_t seed = 0;
  // Without random numbers connections are merely less spread in time.
  static_cast<void>(::getrandom(&seed, sizeof seed, 0));
  return seed;
}

LogSync log_sync_of(WalSyncMode mode) {
  switch (mode) {
    case WalSyncMode::kEvery:
      return LogSync::kEvery;
    case WalSyncMode::kGroup:
      return LogSync::kGroup;
    case WalSyncMode::kNone:
      break;
  }
  return LogSync::kNone;
}

Layout layout_of(OutputLayout layout) {
  switch (layout) {
    case OutputLayout::kSymbol:
      return Layout::kSymbol;
    case OutputLayout::kMarket:
      return Layout::kMarket;
    case OutputLayout::kExchange:
      break;
  }
  return Layout::kExchange;
}

int64_t nanoseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
}

RecorderMemory memory_of(const RecordOptions& options) {
  return {.limit_bytes = options.memory_limit_bytes,
          .log_buffer_bytes = options.config.wal.buffer.bytes};
}

/// One sink makes the rows of all feeds, by the widest that one of them asks for.
RowRules rules_of(const RecorderConfig& config) {
  RowRules rules;
  rules.grace_ns = nanoseconds(config.output.grace);
  rules.row_group_rows = static_cast<int64_t>(config.output.row_group_rows);
  rules.dedupe_window_rows = 0;
  rules.max_time_skew_ns = 0;
  for (const FeedConfig& feed : config.feeds) {
    rules.dedupe_window_rows =
        std::max(rules.dedupe_window_rows, static_cast<int64_t>(feed.dedupe_window));
    rules.max_time_skew_ns = std::max(rules.max_time_skew_ns, nanoseconds(feed.max_time_skew));
  }
  return rules;
}

SinkOptions sink_options_of(const RecordOptions& options) {
  const OutputConfig& output = options.config.output;
  SinkOptions sink;
  sink.output_dir = output.dir;
  sink.log_dir = options.config.wal.dir;
  sink.layout = layout_of(output.layout);
  sink.buffer_bytes = options.memory_limit_bytes / kBufferShare;
  // check_memory() has seen to it that there is more.
  sink.memory_bytes = options.memory_limit_bytes - options.config.wal.buffer.bytes - kFixedBytes;
  sink.part_rows = output.part_rows;
  sink.part_age_ns = nanoseconds(output.part_age);
  sink.idle_close_ns = nanoseconds(output.idle_close);
  sink.parts_linger_ns = nanoseconds(output.parts_linger);
  // The others come by the log, as for a replay; a checkpoint of another window is refused at once.
  sink.rules.dedupe_window_rows = rules_of(options.config).dedupe_window_rows;
  return sink;
}

LogWriterOptions log_options_of(const RecorderConfig& config, uint64_t lsn_floor) {
  LogWriterOptions log;
  log.now = [] {
    const net::ClockReading now = net::read_clocks();
    return LogTimes{now.wall_ns, now.monotonic_ns};
  };
  log.sync = log_sync_of(config.wal.sync);
  log.sync_interval = config.wal.sync_interval;
  log.sync_bytes = config.wal.sync_bytes.bytes;
  log.buffer_limit_bytes = config.wal.buffer.bytes;
  log.segment_bytes = config.wal.segment.bytes;
  log.lsn_floor = lsn_floor;
  return log;
}

DiskKeeperOptions disk_keeper_options_of(const RecorderConfig& config) {
  DiskKeeperOptions disk;
  disk.log_folder = config.wal.dir;
  disk.output_folder = config.output.dir;
  disk.reserve_bytes = config.disk.reserve.bytes;
  disk.min_free_bytes = config.disk.min_free.bytes;
  for (const FeedConfig& feed : config.feeds) disk.priorities.push_back(feed.priority);
  return disk;
}

LogKeeperOptions log_keeper_options_of(const RecorderConfig& config) {
  const WalConfig& wal = config.wal;
  LogKeeperOptions keeper;
  keeper.folder = wal.dir;
  keeper.archive = wal.archive == WalArchive::kZstd;
  keeper.keep = wal.keep;
  keeper.max_bytes = wal.max_bytes.bytes;
  keeper.may_shorten = config.retention.allow_delete;
  return keeper;
}

/// With on_disk_full = "exit" a disk without room is a failure like others.
SinkThreadOptions sink_thread_options_of(const RecordOptions& options, DiskKeeper& disk) {
  SinkThreadOptions sink;
  sink.log_folder = options.config.wal.dir;
  sink.retention = options.config.retention;
  if (options.config.disk.on_disk_full == DiskFullAction::kExit) return sink;
  sink.reopen = [&options] {
    return Sink::open(sink_options_of(options), arrow::system_memory_pool());
  };
  sink.on_no_space = [&disk] { disk.note_no_space(); };
  sink.disk_is_full = [&disk] { return disk.is_full(); };
  return sink;
}

/// What a person is told when the disk gets shorter, or has room again.
std::string disk_sentence(const RecorderConfig& config, DiskStep step, uint64_t free_bytes) {
  const std::string room = fmt::format("{} is free for {} and {}", format_byte_size(free_bytes),
                                       config.wal.dir.string(), config.output.dir.string());
  switch (step) {
    case DiskStep::kFine:
      return room + ": recording goes on as usual";
    case DiskStep::kLow:
      return room + fmt::format(", less than disk.min_free ({}); free some space",
                                format_byte_size(config.disk.min_free.bytes));
    case DiskStep::kStopFeeds:
      return room + "; feeds are stopped by priority until there is more";
    case DiskStep::kFull:
      break;
  }
  return room + (config.disk.on_disk_full == DiskFullAction::kExit
                     ? "; recording ends, because disk.on_disk_full is exit"
                     : "; no feed runs until there is more, and what is missed will be a gap");
}

class Recorder {
 public:
  /// `server` is null when nothing is served; it listens on `loop`.
  Recorder(const RecordOptions& options, net::EventLoop& loop,
           std::unique_ptr<MetricsServer> server, DiskKeeper& disk, LogWriter writer,
           std::unique_ptr<Sink> sink)
      : options_(options),
        disk_(disk),
        loop_(loop),
        writer_(std::move(writer)),
        monitor_(options, std::move(server), writer_, disk),
        log_(writer_, monitor_.meter()),
        sink_(std::move(sink), writer_, sink_thread_options_of(options, disk)),
        log_keeper_(log_keeper_options_of(options.config),
                    [this] { return sink_.releasable_lsn(); }),
        config_(options.config),
        feeds_({loop_, log_, memory_of(options), [this] { return sink_.consumed_lsn(); },
                [this](const Error& error) { fail(error); },
                [this](std::string why) { stop_by_policy(std::move(why)); },
                [](std::string_view line) { warn_line(line); }},
               options.api_key, random_seed()),
        backfiller_({loop_, log_, [this] { return open_trade_gaps(); },
                     [this] { return feeds_.running_feeds(); },
                     [](std::string_view line) { warn_line(line); },
                     [this](const Error& error) { fail(error); }}),
        heartbeat_timer_(loop_),
        status_timer_(loop_),
        end_timer_(loop_) {}

  Result<int> run() {
    sink_.start([this](const Error& error) { loop_.post([this, error] { fail(error); }); });
    log_keeper_.start([this](const Error& error) { loop_.post([this, error] { fail(error); }); });
    TW_TRY(write_start());
    TW_TRY(wait_for_durable_start());
    monitor_.start([this] { return status(); });
    loop_.on_termination([this](int) { on_signal(); });
    loop_.on_reload([this](int) { reload(); });
    // One that came while the log and the output were opened.
    if (interrupted()) loop_.post([this] { on_signal(); });
    beat();
    show_status();
    if (options_.stop_after) end_timer_.start(*options_.stop_after, [this] { stop("time"); });
    follow_disk();
    feeds_.start(config_.feeds);
    backfiller_.start();
    service_.tell("READY=1");
    loop_.run();
    return end();
  }

 private:
  std::vector<TradeGap> open_trade_gaps();
  void follow_disk();
  void obey(const DiskOrders& orders, uint64_t free_bytes);
  Status write_start();
  Status wait_for_durable_start() const;
  Status write_configuration();
  Status take_configuration();
  void reload();
  void on_signal();
  void stop(std::string cause);
  void wait_for_closing(std::chrono::steady_clock::time_point until);
  void fail(const Error& error);
  void stop_by_policy(std::string why);
  void beat();
  void show_status();
  RecorderStatus status() const;
  void print_status();
  Result<int> end();

  const RecordOptions& options_;
  DiskKeeper& disk_;
  net::EventLoop& loop_;
  LogWriter writer_;
  RecorderMonitor monitor_;
  FrameLog log_;
  SinkThread sink_;
  LogKeeper log_keeper_;
  RecorderConfig config_;  ///< in force
  FeedSet feeds_;
  Backfiller backfiller_;
  DiskStep disk_step_ = DiskStep::kFine;
  net::ServiceNotifier service_ = net::ServiceNotifier::from_environment();
  net::Timer heartbeat_timer_;
  net::Timer status_timer_;
  net::Timer end_timer_;

  bool stopping_ = false;
  int signal_count_ = 0;
  std::string stop_cause_;
  // Why the recording ends before it was asked to; the first reason counts.
  Status failure_;
  std::string policy_stop_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  struct Shown {
    double seconds = 0;
    uint64_t events = 0;
  };
  Shown last_shown_;
};

/// Of the venues whose feeds want them; both may change while recording goes on.
std::vector<TradeGap> Recorder::open_trade_gaps() {
  std::set<Venue> venues;
  for (const FeedConfig* const feed : feeds_.running_feeds()) {
    if (feed->backfill) venues.insert(feed->venue);
  }
  sink_.want_trade_gaps(std::move(venues));
  return sink_.open_trade_gaps();
}

// --- a disk that is short ---

void Recorder::follow_disk() {
  const DiskOrders orders = disk_.orders();
  if (orders.step != DiskStep::kFine) obey(orders, disk_.free_bytes());
  disk_.start({[this](const DiskOrders& changed, uint64_t free_bytes) {
                 loop_.post([this, changed, free_bytes] { obey(changed, free_bytes); });
               },
               [this] {
                 sink_.save_space();
                 log_keeper_.hurry();
               }});
}

void Recorder::obey(const DiskOrders& orders, uint64_t free_bytes) {
  const DiskStep before = std::exchange(disk_step_, orders.step);
  sink_.make_room(orders.step != DiskStep::kFine);
  if (orders.step == DiskStep::kFine) log_keeper_.relax();
  if (orders.step != before) {
    LogEvent event;
    event.cause = fmt::format("disk_{}", name_of(orders.step));
    event.detail = disk_sentence(options_.config, orders.step, free_bytes);
    event.count = static_cast<int64_t>(free_bytes);
    warn_line(event.detail);
    const Status written =
        log_.append(LogKind::kNotice, std::nullopt, 0, event, net::read_clocks());
    if (!written) fail(written.error());
    if (orders.step == DiskStep::kFull &&
        options_.config.disk.on_disk_full == DiskFullAction::kExit) {
      fail({ErrorKind::kNoSpace, event.detail});
    }
  }
  feeds_.obey(orders);
}

Status Recorder::write_start() {
  LogEvent start;
  start.version = options_.version;
  TW_TRY(log_.append(LogKind::kStart, std::nullopt, 0, start, net::read_clocks()));
  return write_configuration();
}

/// Before the first connection is made: what it receives is lost when this process is killed at
/// once, and the next one can only know of it by a start in the log.
Status Recorder::wait_for_durable_start() const {
  const uint64_t lsn = writer_.end_lsn() - 1;
  bool is_durable = false;
  while (!is_durable && !interrupted()) {
    TW_ASSIGN(is_durable, writer_.wait_durable(lsn, kStartCheckInterval));
  }
  return {};
}

Status Recorder::write_configuration() {
  LogEvent configuration;
  for (const auto& [key, value, origin] : effective_settings(config_)) {
    configuration.detail += fmt::format("{} = {}\n", key, value);
  }
  configuration.layout = name_of(layout_of(config_.output.layout));
  configuration.rules = rules_of(config_);
  return log_.append(LogKind::kConfiguration, std::nullopt, 0, configuration, net::read_clocks());
}

Status Recorder::take_configuration() {
  TW_ASSIGN(RecorderConfig config, options_.read_config());
  TW_TRY(check_reload(config_, config));
  TW_TRY(check_api_key(config, options_.api_key));
  TW_TRY(feeds_.reload(config.feeds));
  config_ = std::move(config);
  return {};
}

/// What is wrong with a configuration is said, and nothing changes.
void Recorder::reload() {
  if (stopping_ || !options_.read_config) return;
  Status written;
  if (const Status taken = take_configuration(); taken) {
    note_line("the configuration was read again and is in force");
    written = write_configuration();
  } else {
    warn_line("the new configuration is not used: " + taken.error().message);
    LogEvent refusal;
    refusal.cause = "reload_refused";
    refusal.detail = taken.error().message;
    written = log_.append(LogKind::kNotice, std::nullopt, 0, refusal, net::read_clocks());
  }
  if (!written) fail(written.error());
}

void Recorder::on_signal() {
  // Whoever asks twice does not want to wait; the next start completes what is left.
  if (++signal_count_ > 1) std::_Exit(kSecondSignalExitCode);
  stop("signal");
}

void Recorder::stop(std::string cause) {
  if (stopping_) return;
  stopping_ = true;
  stop_cause_ = std::move(cause);
  service_.tell("STOPPING=1");
  feeds_.stop();
  backfiller_.stop();
  wait_for_closing(std::chrono::steady_clock::now() + kClosingMax);
}

void Recorder::wait_for_closing(std::chrono::steady_clock::time_point until) {
  if (feeds_.is_done() || std::chrono::steady_clock::now() >= until) {
    loop_.stop();
    return;
  }
  end_timer_.start(kClosingCheckInterval, [this, until] { wait_for_closing(until); });
}

void Recorder::fail(const Error& error) {
  if (failure_ && policy_stop_.empty()) failure_ = std::unexpected(error);
  loop_.post([this] { stop("failure"); });
}

void Recorder::stop_by_policy(std::string why) {
  if (failure_ && policy_stop_.empty()) policy_stop_ = std::move(why);
  loop_.post([this] { stop("failure"); });
}

void Recorder::beat() {
  if (const Status status = log_.heartbeat(net::read_clocks()); !status) {
    fail(status.error());
  }
  feeds_.mark_backlogs(writer_.end_lsn());
  feeds_.pause_and_resume();
  service_.tell("WATCHDOG=1");
  heartbeat_timer_.start(kHeartbeatInterval, [this] { beat(); });
}

RecorderStatus Recorder::status() const {
  RecorderStatus status;
  const auto now = std::chrono::steady_clock::now();
  status.seconds = std::chrono::duration<double>(now - began_).count();
  status.venues = feeds_.venue_statuses();
  for (const VenueStatus& venue : status.venues) {
    status.events += venue.events;
    status.dropped += venue.dropped;
    for (const auto& [cause, by_stream] : venue.dropped_counts) {
      for (const auto& [stream, count] : by_stream) status.dropped_by_cause[cause] += count;
    }
    status.blocked += venue.blocked;
    status.connected += venue.connected;
    status.connections += venue.connections;
  }
  status.sink = sink_.progress();
  status.published_lsn = sink_.releasable_lsn();
  status.segments = log_keeper_.counts();
  status.disk = disk_step_;
  status.backfill = backfiller_.statuses();
  status.paused_feeds = feeds_.paused_count();
  status.end_lsn = writer_.end_lsn();
  status.durable_lsn = writer_.durable_lsn();
  status.queue_records = status.end_lsn - 1 - std::min(status.end_lsn - 1, sink_.consumed_lsn());
  status.queue_bytes = writer_.buffered_bytes();
  status.row_group_rows = options_.config.output.row_group_rows;
  if (status.queue_records > 0 && status.sink.consumed_wall_ns > 0) {
    status.lag_seconds = std::max(
        0.0, static_cast<double>(net::read_clocks().wall_ns - status.sink.consumed_wall_ns) / 1e9);
  }
  status.resident_bytes = resident_bytes();
  status.virtual_bytes = virtual_bytes();
  status.heap_bytes = used_heap_bytes();
  status.is_durable = options_.config.wal.sync != WalSyncMode::kNone;
  return status;
}

void Recorder::print_status() {
  if (!options_.print_status) return;
  RecorderStatus shown = status();
  // Since the line before, whatever else asks for the status.
  const double interval = shown.seconds - last_shown_.seconds;
  if (interval > 0) {
    shown.events_per_second = static_cast<double>(shown.events - last_shown_.events) / interval;
  }
  last_shown_ = {shown.seconds, shown.events};
  const std::string line = render_status(shown, options_.config.status.format) + "\n";
  std::fputs(line.c_str(), stderr);
}

void Recorder::show_status() {
  print_status();
  status_timer_.start(options_.config.status.interval, [this] { show_status(); });
}

Result<int> Recorder::end() {
  heartbeat_timer_.cancel();
  status_timer_.cancel();
  // The loop does not run any more, so it would not see a second signal.
  for (const int number : {SIGINT, SIGTERM}) {
    std::signal(number, signal_count_ > 0 ? end_at_once : end_at_second_signal);
  }
  // An end does not wait for room; the reserve is there for it.
  disk_.finish();
  writer_.stop_waiting_for_space();
  LogEvent event;
  event.cause = stop_cause_;
  event.detail = failure_ ? policy_stop_ : failure_.error().message;
  // Waits for room: the log's thread still writes, or has failed and says so.
  Status ended;
  while (ended && !feeds_.store_all_refused()) ended = writer_.flush();
  if (ended) ended = log_.append(LogKind::kStop, std::nullopt, 0, event, net::read_clocks());
  while (ended) {
    const auto is_clear = log_.append_waiting();
    if (!is_clear) ended = std::unexpected(is_clear.error());
    if (!is_clear || *is_clear) break;
    ended = writer_.flush();
  }
  monitor_.stop();
  const uint64_t last_lsn = writer_.end_lsn() - 1;
  const Status closed = writer_.close();
  // What is durable is published, also after a failure.
  const Status finished = sink_.finish(closed ? last_lsn : writer_.durable_lsn());
  const Status kept = log_keeper_.finish();
  print_status();
  TW_TRY(closed);
  TW_TRY(ended);
  TW_TRY(finished);
  TW_TRY(kept);
  TW_TRY(failure_);
  if (policy_stop_.empty()) return 0;
  warn_line(policy_stop_);
  return 1;
}

}  // namespace

Result<int> record(const RecordOptions& options) {
  TW_TRY(check_memory(memory_of(options), options.config.feeds));
  TW_TRY(check_api_key(options.config, options.api_key));
  // Who cannot be asked how it goes does not begin, and then nothing was touched.
  net::EventLoop loop;
  std::unique_ptr<MetricsServer> server;
  if (const std::string& address = options.config.metrics.listen; !address.empty()) {
    TW_ASSIGN(server, MetricsServer::listen(loop, address));
  }
  prepare_heap_for_long_run();
  // Until somebody listens to it. It ends a process that does not.
  std::signal(SIGHUP, SIG_IGN);
  TW_ASSIGN(auto sink, Sink::open(sink_options_of(options), arrow::system_memory_pool()));
  LogWriterOptions log_options = log_options_of(options.config, sink->highest_known_lsn());
  TW_TRY(make_folders(options.config.wal.dir));
  DiskKeeper disk(disk_keeper_options_of(options.config));
  disk.round();
  log_options.on_no_space = [&disk] { disk.note_no_space(); };
  TW_ASSIGN(LogWriter writer, LogWriter::open(options.config.wal.dir, std::move(log_options)));
  return Recorder(options, loop, std::move(server), disk, std::move(writer), std::move(sink)).run();
}

}  // namespace tapeworks::recorder
