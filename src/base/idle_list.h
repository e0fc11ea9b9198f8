#pragma once

#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace tapeworks {

/// Objects that nobody uses at the moment, so that their memory serves again: at most as many as
/// were in use at once. Threads: any.
template <typename T>
class IdleList {
 public:
  /// The one that was given back last; nothing when all are in use.
  std::optional<T> take() {
    const std::scoped_lock lock(mutex_);
    if (idle_.empty()) return std::nullopt;
    std::optional<T> taken(std::move(idle_.back()));
    idle_.pop_back();
    return taken;
  }

  void give_back(T object) {
    const std::scoped_lock lock(mutex_);
    idle_.push_back(std::move(object));
  }

  /// For who needs their memory.
  void clear() {
    const std::scoped_lock lock(mutex_);
    idle_.clear();
  }

 private:
  std::mutex mutex_;
  std::vector<T> idle_;  // guarded by mutex_
};

}  // namespace tapeworks
