#include "storage/background_tasks.h"

#include <chrono>
#include <utility>

#include "base/interrupt.h"
#include "base/run_stats.h"

namespace tapeworks {
namespace {

/// How often a wait looks whether a signal has arrived.
constexpr std::chrono::milliseconds kInterruptCheckInterval{50};

}  // namespace

BackgroundTasks::~BackgroundTasks() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    waiting_.clear();
  }
  task_added_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Status BackgroundTasks::add(uint64_t bytes, std::move_only_function<Status()> task) {
  std::unique_lock lock(mutex_);
  const auto has_room = [&] {
    const bool is_alone = waiting_.empty() && running_count_ == 0;
    return waiting_.size() < kWaitingMax && (is_alone || bytes_held_ + bytes <= bytes_max_);
  };
  while (first_failure_ && !has_room()) {
    task_done_.wait_for(lock, kInterruptCheckInterval);
    TW_TRY(check_interrupt());
  }
  if (!first_failure_) return first_failure_;
  bytes_held_ += bytes;
  waiting_.push_back({bytes, std::move(task)});
  if (threads_.size() - running_count_ < waiting_.size() && threads_.size() < kThreadsMax) {
    threads_.emplace_back([this] { work(); });
  }
  lock.unlock();
  task_added_.notify_one();
  return {};
}

Status BackgroundTasks::finish() {
  std::unique_lock lock(mutex_);
  while (first_failure_ && (!waiting_.empty() || running_count_ > 0)) {
    task_done_.wait_for(lock, kInterruptCheckInterval);
    TW_TRY(check_interrupt());
  }
  return first_failure_;
}

void BackgroundTasks::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    task_added_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    Task task = std::move(waiting_.front());
    waiting_.pop_front();
    ++running_count_;
    lock.unlock();

    Status status;
    {
      const StageTimer timer(Stage::kWrite);
      status = task.run();
    }
    task.run = nullptr;

    lock.lock();
    --running_count_;
    bytes_held_ -= task.bytes;
    if (!status && first_failure_) {
      first_failure_ = std::move(status);
      // What still waits will not be published.
      for (const Task& dropped : waiting_) bytes_held_ -= dropped.bytes;
      waiting_.clear();
    }
    task_done_.notify_all();
  }
}

}  // namespace tapeworks
