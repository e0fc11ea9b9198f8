#pragma once

#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "storage/log_file_operations.h"

namespace tapeworks::recorder {

/// A disk whose syncs take until somebody says so.
class StallingDisk final : public LogFileOperations {
 public:
  void stall(bool on) {
    const std::lock_guard lock(mutex_);
    stalled_ = on;
    changed_.notify_all();
  }
  Status sync(const FileDescriptor& file, const std::filesystem::path& path) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !stalled_; });
    lock.unlock();
    return LogFileOperations::sync(file, path);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stalled_ = false;
};

}  // namespace tapeworks::recorder
