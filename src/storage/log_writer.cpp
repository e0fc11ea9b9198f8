#include "storage/log_writer.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <sys/random.h>

#include "storage/log_lock.h"
#include "storage/log_recovery.h"
#include "storage/log_segment_writer.h"
#include "storage/posix_file.h"

namespace tapeworks {
namespace fs = std::filesystem;
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

/// Waiting records lie in chunks, so that memory follows what waits and not the limit.
constexpr uint64_t kChunkBytesMax = 256 * kKiB;
constexpr uint64_t kChunkBytesMin = 4 * kKiB;
constexpr uint64_t kChunksInLimit = 8;

/// Between two attempts to begin a segment on a full disk.
constexpr std::chrono::milliseconds kSpaceCheckInterval{100};

/// Longer waits would overflow the clock, and nobody means them.
constexpr std::chrono::milliseconds kTimeoutMax = std::chrono::hours(24);

LogTimes system_times() {
  const auto nanoseconds = [](auto time) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
  };
  return {nanoseconds(std::chrono::system_clock::now()),
          nanoseconds(std::chrono::steady_clock::now())};
}

Result<LogBootId> make_boot_id() {
  LogBootId id{};
  // Up to 256 bytes come whole.
  if (::getrandom(id.data(), id.size(), 0) != static_cast<ssize_t>(id.size())) {
    return io_error("cannot get random bytes for the boot id of a log: error {}", errno);
  }
  return id;
}

Status check_options(const LogWriterOptions& options) {
  if (options.segment_bytes < LogWriterOptions::kSegmentBytesMin ||
      options.segment_bytes > kLogSegmentBytesMax) {
    return invalid_argument("a log segment of {} bytes is not possible; choose {} to {} bytes",
                            options.segment_bytes, LogWriterOptions::kSegmentBytesMin,
                            kLogSegmentBytesMax);
  }
  if (options.lsn_floor > kLogLsnMax / 2) {
    return invalid_argument("{} is too large for the number of a log record", options.lsn_floor);
  }
  return {};
}

/// Encoded records one after the other: payload size u32, record header, payload.
struct Chunk {
  std::vector<std::byte> bytes;  ///< its capacity is what it costs
  uint64_t last_lsn = 0;
};
constexpr size_t kSizeBytes = sizeof(uint32_t);
constexpr size_t kRecordOverheadBytes = kSizeBytes + kLogRecordHeaderBytes;

}  // namespace

class LogWriter::Impl {
 public:
  Impl(fs::path folder, LogWriterOptions options, LogLock lock, LogBootId boot_id,
       LogSegmentWriter segment, uint64_t start_lsn)
      : folder_(std::move(folder)),
        options_(std::move(options)),
        boot_id_(boot_id),
        chunk_bytes_(std::clamp(options_.buffer_limit_bytes / kChunksInLimit, kChunkBytesMin,
                                kChunkBytesMax)),
        start_lsn_(start_lsn),
        segment_(std::move(segment)),
        next_lsn_(start_lsn + 1),
        durable_lsn_(start_lsn),
        lock_(std::move(lock)) {
    thread_ = std::thread([this] { commit_until_closed(); });
  }
  ~Impl() {
    // Whoever needs to know has called close() before.
    [[maybe_unused]] const Status ignored = close();
  }

  Result<std::optional<uint64_t>> append(const LogEntry& entry, std::chrono::milliseconds timeout) {
    if (entry.kind < kLogKindCallerMin) {
      return invalid_argument("log records of kind {} are the log's own; use {} or more",
                              int{entry.kind}, int{kLogKindCallerMin});
    }
    if (entry.payload.size() > kLogPayloadBytesMax) {
      return invalid_argument("a log record of {} bytes is too large; at most {} are possible",
                              entry.payload.size(), kLogPayloadBytesMax);
    }
    const uint64_t needed = kRecordOverheadBytes + entry.payload.size();
    std::unique_lock lock(mutex_);
    const auto may_go_on = [&] { return failed_or_closed() || has_room(needed); };
    if (!may_go_on() && (timeout.count() <= 0 ||
                         !room_made_.wait_for(lock, std::min(timeout, kTimeoutMax), may_go_on))) {
      return std::nullopt;
    }
    TW_TRY(failure_);
    if (closing_) return internal_error("{}: the log is closed already", folder_.string());
    const uint64_t lsn = next_lsn_;
    store(entry, lsn, needed);
    ++next_lsn_;
    const bool first = waiting_bytes_ == 0;
    const bool enough_before = waiting_bytes_ >= options_.sync_bytes;
    waiting_bytes_ += needed;
    if (first) oldest_waiting_ = std::chrono::steady_clock::now();
    const bool enough = waiting_bytes_ >= options_.sync_bytes && !enough_before;
    lock.unlock();
    if (first || enough) work_arrived_.notify_one();
    return lsn;
  }

  uint64_t durable_lsn() const { return durable_lsn_.load(std::memory_order_acquire); }

  Result<bool> wait_durable(uint64_t lsn, std::chrono::milliseconds timeout) const {
    if (durable_lsn() >= lsn) return true;
    std::unique_lock lock(mutex_);
    const auto decided = [&] { return durable_lsn() >= lsn || !failure_ || stopped_; };
    durable_rose_.wait_for(lock, std::min(timeout, kTimeoutMax), decided);
    if (durable_lsn() >= lsn) return true;
    TW_TRY(failure_);
    return false;
  }

  uint64_t end_lsn() const {
    const std::lock_guard lock(mutex_);
    return next_lsn_;
  }
  uint64_t start_lsn() const { return start_lsn_; }
  uint64_t buffered_bytes() const {
    const std::lock_guard lock(mutex_);
    return buffered_bytes_;
  }

  Status flush() {
    std::unique_lock lock(mutex_);
    const uint64_t last = next_lsn_ - 1;
    // A wish that nobody needs would be granted to what comes next.
    if (durable_lsn() >= last) return failure_;
    flush_wanted_ = true;
    work_arrived_.notify_one();
    durable_rose_.wait(lock, [&] { return durable_lsn() >= last || !failure_ || stopped_; });
    return failure_;
  }

  void stop_waiting_for_space() {
    {
      const std::lock_guard lock(mutex_);
      waits_for_space_ = false;
    }
    work_arrived_.notify_one();
  }

  Status close() {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
      waits_for_space_ = false;
    }
    work_arrived_.notify_one();
    room_made_.notify_all();
    const std::lock_guard joining(join_mutex_);
    if (thread_.joinable()) thread_.join();
    lock_.reset();
    const std::lock_guard lock(mutex_);
    return failure_;
  }

 private:
  // The following are called with mutex_ held.
  bool failed_or_closed() const { return !failure_ || closing_; }

  uint64_t new_chunk_bytes(uint64_t needed) const { return std::max(chunk_bytes_, needed); }

  bool fits_in_last_chunk(uint64_t needed) const {
    return !waiting_.empty() &&
           waiting_.back().bytes.size() + needed <= waiting_.back().bytes.capacity();
  }

  bool has_room(uint64_t needed) const {
    return buffered_bytes_ == 0 || fits_in_last_chunk(needed) ||
           buffered_bytes_ + new_chunk_bytes(needed) <= options_.buffer_limit_bytes;
  }

  void store(const LogEntry& entry, uint64_t lsn, uint64_t needed) {
    if (!fits_in_last_chunk(needed)) {
      // Whole or not at all, should there be no memory.
      Chunk fresh;
      fresh.bytes.reserve(new_chunk_bytes(needed));
      waiting_.push_back(std::move(fresh));
      buffered_bytes_ += waiting_.back().bytes.capacity();
    }
    Chunk& chunk = waiting_.back();
    std::byte size[kSizeBytes];
    store_little_endian(size, static_cast<uint32_t>(entry.payload.size()));
    const auto header = encode_record_header(LogRecord{entry, lsn});
    chunk.bytes.insert(chunk.bytes.end(), std::begin(size), std::end(size));
    chunk.bytes.insert(chunk.bytes.end(), header.begin(), header.end());
    chunk.bytes.insert(chunk.bytes.end(), entry.payload.begin(), entry.payload.end());
    chunk.last_lsn = lsn;
  }

  bool commit_is_due() const {
    if (closing_ || flush_wanted_) return true;
    if (waiting_bytes_ == 0) return false;
    return options_.sync == LogSync::kEvery || waiting_bytes_ >= options_.sync_bytes ||
           std::chrono::steady_clock::now() >= oldest_waiting_ + options_.sync_interval;
  }

  void wait_until_due(std::unique_lock<std::mutex>& lock) {
    while (!commit_is_due()) {
      if (waiting_bytes_ == 0) {
        work_arrived_.wait(lock);
      } else {
        work_arrived_.wait_until(lock, oldest_waiting_ + options_.sync_interval);
      }
    }
  }

  // The thread.
  void commit_until_closed() {
    std::unique_lock lock(mutex_);
    while (true) {
      wait_until_due(lock);
      const bool last_round = closing_;
      std::deque<Chunk> chunks = std::exchange(waiting_, {});
      waiting_bytes_ = 0;
      flush_wanted_ = false;
      uint64_t freed_bytes = 0;
      for (const Chunk& chunk : chunks) freed_bytes += chunk.bytes.capacity();
      lock.unlock();
      Status status = commit(chunks);
      if (status && last_round) status = segment_.close(durable_lsn());
      chunks.clear();
      lock.lock();
      buffered_bytes_ -= freed_bytes;
      if (!status) failure_ = status;
      stopped_ = last_round || !status;
      durable_rose_.notify_all();
      room_made_.notify_all();
      if (stopped_) return;
    }
  }

  Status commit(const std::deque<Chunk>& chunks) {
    if (chunks.empty()) return {};
    for (const Chunk& chunk : chunks) TW_TRY(commit_chunk(chunk));
    if (options_.sync == LogSync::kEvery) return {};
    TW_TRY(options_.sync == LogSync::kGroup ? segment_.sync() : segment_.write());
    announce_durable(chunks.back().last_lsn);
    return {};
  }

  Status commit_chunk(const Chunk& chunk) {
    auto left = std::span<const std::byte>(chunk.bytes);
    while (!left.empty()) {
      const auto payload_bytes = load_little_endian<uint32_t>(left.data());
      const auto header = left.subspan(kSizeBytes, kLogRecordHeaderBytes);
      const auto payload = left.subspan(kRecordOverheadBytes, payload_bytes);
      left = left.subspan(kRecordOverheadBytes + payload_bytes);
      const auto lsn = load_little_endian<uint64_t>(header.data());
      if (segment_.record_count() > 0 &&
          !segment_.has_room(payload_bytes, options_.segment_bytes)) {
        TW_TRY(begin_segment(lsn));
      }
      TW_TRY(segment_.append(header, payload));
      if (options_.sync == LogSync::kEvery) {
        TW_TRY(segment_.sync());
        announce_durable(lsn);
      }
    }
    return {};
  }

  Status begin_segment(uint64_t first_lsn) {
    TW_TRY(segment_.close(first_lsn - 1));
    announce_durable(first_lsn - 1);
    while (true) {
      auto next = LogSegmentWriter::create(folder_ / segment_name(first_lsn),
                                           {first_lsn, options_.now().wall_ns, boot_id_},
                                           options_.segment_bytes, *options_.operations);
      if (next) {
        segment_ = std::move(*next);
        return {};
      }
      const bool may_wait = options_.on_no_space && next.error().kind == ErrorKind::kNoSpace;
      if (!may_wait) return std::unexpected(std::move(next.error()));
      // There is no record in it yet.
      TW_TRY(remove_file(folder_ / segment_name(first_lsn)));
      if (!wait_for_space()) return std::unexpected(std::move(next.error()));
    }
  }

  /// False when nobody wants to wait any longer, and the last attempt found no room either.
  bool wait_for_space() {
    options_.on_no_space();
    std::unique_lock lock(mutex_);
    if (!waits_for_space_) return !std::exchange(had_last_attempt_, true);
    work_arrived_.wait_for(lock, kSpaceCheckInterval, [&] { return !waits_for_space_; });
    return true;
  }

  void announce_durable(uint64_t lsn) {
    {
      // Under the lock, so that nobody looks, misses it and then waits.
      const std::lock_guard lock(mutex_);
      durable_lsn_.store(lsn, std::memory_order_release);
    }
    durable_rose_.notify_all();
  }

  const fs::path folder_;
  const LogWriterOptions options_;
  const LogBootId boot_id_;
  const uint64_t chunk_bytes_;
  const uint64_t start_lsn_;
  LogSegmentWriter segment_;  // the thread's alone

  mutable std::mutex mutex_;
  std::condition_variable work_arrived_;
  std::condition_variable room_made_;
  mutable std::condition_variable durable_rose_;
  // Guarded by mutex_.
  std::deque<Chunk> waiting_;
  uint64_t waiting_bytes_ = 0;
  uint64_t buffered_bytes_ = 0;  ///< capacity of the chunks that wait or are being written
  SteadyTime oldest_waiting_;
  uint64_t next_lsn_;
  Status failure_;
  bool flush_wanted_ = false;
  bool closing_ = false;
  bool waits_for_space_ = true;
  bool had_last_attempt_ = false;  ///< since nobody waits any longer
  bool stopped_ = false;
  // Written under mutex_, read anywhere.
  std::atomic<uint64_t> durable_lsn_;

  std::mutex join_mutex_;
  // Guarded by join_mutex_.
  std::optional<LogLock> lock_;
  std::thread thread_;
};

Result<LogWriter> LogWriter::open(const fs::path& folder, LogWriterOptions options) {
  TW_TRY(check_options(options));
  if (!options.now) options.now = system_times;
  if (options.operations == nullptr) options.operations = &LogFileOperations::system();
  TW_TRY(make_folders(folder));
  TW_ASSIGN(LogLock lock, LogLock::acquire(folder));
  TW_TRY(remove_partial_segments(folder));
  TW_ASSIGN(const LogEndFound end, find_log_end(folder));
  TW_ASSIGN(const LogBootId boot_id, make_boot_id());
  const uint64_t start_lsn = std::max(end.first_free_lsn, options.lsn_floor + 1);
  const LogTimes now = options.now();
  TW_ASSIGN(auto segment, LogSegmentWriter::create(folder / segment_name(start_lsn),
                                                   {start_lsn, now.wall_ns, boot_id},
                                                   options.segment_bytes, *options.operations));
  const auto payload = encode_log_start({end.last_lsn, options.lsn_floor});
  LogRecord start;
  start.lsn = start_lsn;
  start.kind = kLogKindStart;
  start.wall_time_ns = now.wall_ns;
  start.monotonic_time_ns = now.monotonic_ns;
  TW_TRY(segment.append(encode_record_header(start), payload));
  TW_TRY(segment.sync());
  return LogWriter(std::make_unique<Impl>(folder, std::move(options), std::move(lock), boot_id,
                                          std::move(segment), start_lsn));
}

LogWriter::LogWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

LogWriter::LogWriter(LogWriter&& other) noexcept = default;

LogWriter::~LogWriter() = default;

Result<std::optional<uint64_t>> LogWriter::try_append(const LogEntry& entry) {
  return impl_->append(entry, std::chrono::milliseconds(0));
}

Result<std::optional<uint64_t>> LogWriter::append(const LogEntry& entry,
                                                  std::chrono::milliseconds timeout) {
  return impl_->append(entry, timeout);
}

uint64_t LogWriter::durable_lsn() const { return impl_->durable_lsn(); }

Result<bool> LogWriter::wait_durable(uint64_t lsn, std::chrono::milliseconds timeout) const {
  return impl_->wait_durable(lsn, timeout);
}

uint64_t LogWriter::end_lsn() const { return impl_->end_lsn(); }

uint64_t LogWriter::start_lsn() const { return impl_->start_lsn(); }

uint64_t LogWriter::buffered_bytes() const { return impl_->buffered_bytes(); }

Status LogWriter::flush() { return impl_->flush(); }

void LogWriter::stop_waiting_for_space() { impl_->stop_waiting_for_space(); }

Status LogWriter::close() { return impl_->close(); }

}  // namespace tapeworks
