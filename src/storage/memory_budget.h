#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include <arrow/memory_pool.h>

#include "base/result.h"

namespace tapeworks {

class MemoryBudget;

/// A part of the memory budget that its owner may use; giving it back is its destruction.
/// Threads: one at a time.
class Reservation {
 public:
  Reservation() = default;
  /// An empty one of `budget`, to grow by resize().
  explicit Reservation(MemoryBudget& budget) : budget_(&budget) {}
  Reservation(Reservation&& other) noexcept { *this = std::move(other); }
  Reservation& operator=(Reservation&& other) noexcept;
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;
  ~Reservation() { release(); }

  uint64_t bytes() const { return bytes_; }

  /// Grows or shrinks to `bytes`. False, and nothing changed, when the budget has not that much.
  [[nodiscard]] bool resize(uint64_t bytes);
  /// Takes over what `other` holds of the same budget.
  void absorb(Reservation other);
  /// Gives `bytes` of it, which it has, to a new one.
  Reservation split(uint64_t bytes);
  void release();

 private:
  friend class MemoryBudget;
  Reservation(MemoryBudget* budget, uint64_t bytes) : budget_(budget), bytes_(bytes) {}

  MemoryBudget* budget_ = nullptr;
  uint64_t bytes_ = 0;
};

/// Someone who can free memory when the budget is used up, by writing buffers to disk.
/// Threads: reclaim() is called from whichever thread asked for memory, maybe from several at once.
class MemoryReclaimer {
 public:
  virtual ~MemoryReclaimer() = default;
  /// Frees `wanted_bytes`, or what it can. Failures are kept and reported by the owner's next call.
  virtual void reclaim(uint64_t wanted_bytes) = 0;
};

/// The one memory budget of the process (design D2). `--memory` is the limit of the resident size;
/// what the process takes before any data is read (code, libraries, stacks) is measured when the
/// budget is made and subtracted, together with a reserve for allocations too small to be asked
/// for. Freed memory that the allocator keeps is nobody's reservation: it is given to the system
/// when the resident size comes near its limit.
///
/// Ownership: must outlive its reservations and the pool. Threads: any.
class MemoryBudget {
 public:
  /// The least that any command accepts.
  static constexpr uint64_t kMinimumBytes = uint64_t{192} * 1024 * 1024;

  /// kInvalidArgument below kMinimumBytes.
  static Result<std::unique_ptr<MemoryBudget>> create(uint64_t resident_limit_bytes);

  /// A quarter of the smaller of the machine's and the cgroup's memory, at least 512 MiB where
  /// there is that much.
  static uint64_t default_limit_bytes();

  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  /// False, and `out` unchanged, when the budget has not that much: spill, flush, wait, or fail.
  [[nodiscard]] bool try_reserve(uint64_t bytes, Reservation& out);

  /// Likewise, but asks nobody to free memory first.
  [[nodiscard]] bool try_reserve_at_once(uint64_t bytes, Reservation& out);

  /// From now on `reclaimer` (or nobody, for null) is asked, a few times at most, before a request
  /// is refused. Call only while no other thread uses the budget; the reclaimer must outlive its
  /// registration.
  void set_reclaimer(MemoryReclaimer* reclaimer) { reclaimer_ = reclaimer; }

  uint64_t capacity_bytes() const { return capacity_bytes_; }
  uint64_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }
  uint64_t available_bytes() const;
  uint64_t resident_limit_bytes() const { return resident_limit_bytes_; }

  /// A pool for Arrow and Parquet that reserves before it allocates and answers OutOfMemory when
  /// the budget is used up.
  arrow::MemoryPool* pool() { return pool_.get(); }

 private:
  friend class Reservation;
  MemoryBudget(uint64_t resident_limit_bytes, uint64_t capacity_bytes);

  bool acquire(uint64_t bytes);
  bool acquire_now(uint64_t bytes);
  void give_back(uint64_t bytes);
  void count_acquired(uint64_t bytes);

  uint64_t resident_limit_bytes_;
  uint64_t capacity_bytes_;
  std::atomic<uint64_t> used_bytes_{0};
  std::atomic<uint64_t> acquired_bytes_{0};   // of all requests so far
  std::atomic<uint64_t> next_look_bytes_{0};  // of acquired_bytes_: when to measure again
  MemoryReclaimer* reclaimer_ = nullptr;
  std::unique_ptr<arrow::MemoryPool> pool_;
};

/// The peak resident size of this process in bytes (VmHWM), 0 where the system does not tell.
uint64_t peak_resident_bytes();
/// The resident size of this process in bytes, 0 where the system does not tell.
uint64_t resident_bytes();
/// Address space of this process in bytes, 0 where the system does not tell.
uint64_t virtual_bytes();

}  // namespace tapeworks
