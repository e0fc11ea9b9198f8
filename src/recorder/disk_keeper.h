#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/result.h"
#include "recorder/disk_ladder.h"
#include "storage/disk_space.h"

namespace tapeworks::recorder {

struct DiskKeeperOptions {
  std::filesystem::path log_folder;
  std::filesystem::path output_folder;  ///< its hidden folder of parts is there
  uint64_t reserve_bytes = 0;           ///< of a file on each device; 0: none
  uint64_t min_free_bytes = 0;          ///< see DiskLadder
  std::vector<uint64_t> priorities;     ///< of all feeds
};

/// Watches the room on the devices of log and output, keeps a reserve there, and says what
/// DiskLadder makes of it.
///
/// A thread of its own, because a disk that hangs may not answer. Failure: a round in which the
/// system does not say how much room there is changes nothing. Threads: any for is_full(),
/// free_bytes(), orders() and note_no_space(), one for the rest.
class DiskKeeper {
 public:
  struct Actions {
    /// The orders have changed.
    std::function<void(const DiskOrders& orders, uint64_t free_bytes)> obey;
    /// The disk is short: at the beginning of that, and once a minute while it lasts.
    std::function<void()> save_space;
  };

  explicit DiskKeeper(DiskKeeperOptions options);
  ~DiskKeeper();

  /// One round, as the thread makes them; the first one before anything is recorded.
  DiskOrders round();
  /// Both actions are called from the thread.
  void start(Actions actions);
  /// Ends the thread, and gives up the reserve: it pays for the end of the recording.
  void finish();

  /// A write has found no room. Gives up the reserve at once, so that the next attempt finds some.
  void note_no_space();

  bool is_full() const { return is_full_.load(std::memory_order_acquire); }
  DiskOrders orders() const;
  /// On the device that is shorter, as of the last round.
  uint64_t free_bytes() const { return free_bytes_.load(std::memory_order_relaxed); }

 private:
  struct Device {
    std::filesystem::path folder;
    std::unique_ptr<ReserveFile> reserve;
  };

  void run();
  void make_devices();
  uint64_t measure();
  void make_reserves();
  void give_up_reserves();

  DiskKeeperOptions options_;
  Actions actions_;
  std::atomic<bool> is_full_{false};
  std::atomic<uint64_t> free_bytes_{0};

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  // Guarded by mutex_.
  std::vector<Device> devices_;
  DiskLadder ladder_;
  DiskOrders orders_;
  bool had_no_space_ = false;
  bool warned_of_reserve_ = false;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace tapeworks::recorder
