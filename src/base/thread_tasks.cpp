#include "base/thread_tasks.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <limits>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/interrupt.h"

namespace tapeworks {
namespace {

/// The failure with the lowest task index, whichever thread meets its own first.
class FirstFailure {
 public:
  void offer(size_t index, Error error) {
    const std::scoped_lock lock(mutex_);
    if (index < index_) {
      index_ = index;
      error_ = std::move(error);
    }
    failed_.store(true, std::memory_order_relaxed);
  }

  bool failed() const { return failed_.load(std::memory_order_relaxed); }

  Status take() {
    if (error_) return std::unexpected(std::move(*error_));
    return {};
  }

 private:
  std::mutex mutex_;
  size_t index_ = std::numeric_limits<size_t>::max();  // guarded by mutex_
  std::optional<Error> error_;                         // guarded by mutex_
  std::atomic<bool> failed_{false};
};

}  // namespace

Status run_tasks(size_t task_count, size_t thread_count,
                 const std::function<Status(size_t index, size_t worker)>& task,
                 OnInterrupt on_interrupt) {
  std::atomic<size_t> next{0};
  FirstFailure failure;
  const auto work = [&](size_t worker) {
    while (!failure.failed()) {
      const size_t index = next.fetch_add(1, std::memory_order_relaxed);
      if (index >= task_count) return;
      try {
        auto status = on_interrupt == OnInterrupt::kStop ? check_interrupt() : Status{};
        if (status) status = task(index, worker);
        if (!status) failure.offer(index, std::move(status).error());
      } catch (const std::bad_alloc&) {
        failure.offer(index, Error{ErrorKind::kMemoryBudget, "the system has no memory left"});
      } catch (const std::exception& exception) {
        failure.offer(index, Error{ErrorKind::kInternal, exception.what()});
      }
    }
  };
  thread_count = std::clamp<size_t>(thread_count, 1, std::max<size_t>(task_count, 1));
  std::vector<std::thread> threads;
  threads.reserve(thread_count - 1);
  for (size_t worker = 1; worker < thread_count; ++worker) threads.emplace_back(work, worker);
  work(0);
  for (std::thread& thread : threads) thread.join();
  return failure.take();
}

}  // namespace tapeworks
