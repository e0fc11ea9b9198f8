#pragma once

#include <cstddef>
#include <functional>

#include "base/result.h"

namespace tapeworks {

/// Whether tasks still start once a signal has arrived. Cleaning up goes on.
enum class OnInterrupt { kStop, kGoOn };

/// Runs task(index, worker) for every index in [0, task_count) on `thread_count` threads and waits
/// for all. Tasks are handed out in ascending order. After the first failure, or a signal that
/// `on_interrupt` minds, no new task starts; the error of the lowest failed index is returned, so
/// the answer does not depend on timing as long as each task fails or succeeds by itself.
///
/// Threads: task is called from several threads at once, `worker` in [0, thread_count) names the
/// thread, so that each may keep state of its own.
Status run_tasks(size_t task_count, size_t thread_count,
                 const std::function<Status(size_t index, size_t worker)>& task,
                 OnInterrupt on_interrupt = OnInterrupt::kStop);

}  // namespace tapeworks
