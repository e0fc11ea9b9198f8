#include "storage/bulk_sync.h"

#include <chrono>
#include <utility>

#include "base/interrupt.h"
#include "base/run_stats.h"

namespace tapeworks {
namespace {

/// How often a wait looks whether a signal has arrived.
constexpr std::chrono::milliseconds kInterruptCheckInterval{50};

Status sync_and_close(FileDescriptor& file, const std::filesystem::path& path) {
  TW_TRY(sync_file(file, path));
  return file.close(path);
}

}  // namespace

BulkSync::~BulkSync() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    waiting_.clear();
  }
  item_added_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Status BulkSync::add(FileDescriptor file, std::filesystem::path path) {
  std::unique_lock lock(mutex_);
  item_taken_.wait(lock, [&] { return waiting_.size() < kWaitingFilesMax || !first_failure_; });
  if (!first_failure_) return first_failure_;
  waiting_.push_back({std::move(file), std::move(path)});
  const size_t idle_count = threads_.size() - syncing_count_;
  if (idle_count < waiting_.size() && threads_.size() < kSyncsInFlight) {
    threads_.emplace_back([this] { work(); });
  }
  lock.unlock();
  item_added_.notify_one();
  return {};
}

Status BulkSync::finish() {
  std::unique_lock lock(mutex_);
  while (first_failure_ && (!waiting_.empty() || syncing_count_ > 0)) {
    all_done_.wait_for(lock, kInterruptCheckInterval);
    TW_TRY(check_interrupt());
  }
  return first_failure_;
}

void BulkSync::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    item_added_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    Item item = std::move(waiting_.front());
    waiting_.pop_front();
    ++syncing_count_;
    lock.unlock();
    item_taken_.notify_one();

    Status status;
    {
      const StageTimer timer(Stage::kWrite);
      status = sync_and_close(item.file, item.path);
    }

    lock.lock();
    --syncing_count_;
    if (!status && first_failure_) {
      first_failure_ = std::move(status);
      // What still waits will not be published, and everybody who waits must hear of it.
      waiting_.clear();
      item_taken_.notify_all();
    }
    if (!first_failure_ || (waiting_.empty() && syncing_count_ == 0)) all_done_.notify_all();
  }
}

}  // namespace tapeworks
