#include "storage/memory_budget.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>
#include <utility>

#include <arrow/status.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <sys/resource.h>
#include <unistd.h>

#include "base/units.h"
#include "storage/cgroup_memory.h"
#include "storage/heap_memory.h"

namespace tapeworks {
namespace {

/// What code, stacks and objects too small to be asked for may take on top of what is resident when
/// the budget is made: measured with `run` at 192 MiB, where the whole process took 76 MiB more
/// than was reserved. The allocator's slack grows with what is allocated: with a 32nd, `run` of 500
/// million rows in 292 files and 1 GiB came to 1,033 MiB in one of three runs.
constexpr uint64_t kReserveBytes = 56 * kMiB;
constexpr uint64_t kSlackDivisor = 20;

constexpr int kReclaimRoundsMax = 5;

/// What is given out at the least, also where the process starts large.
constexpr uint64_t kMinimumCapacityBytes = 80 * kMiB;

/// The resident size is measured each time that so much was reserved, which takes 50 us, and free
/// heap goes back to the system when less than a share of the limit is left. `run` of those 500
/// million rows kept up to 115 MiB of it, and came to 1,028 MiB in one of six runs. Where that
/// helped little, it is tried again later: a walk over a large heap takes milliseconds.
constexpr uint64_t kLookBytes = 16 * kMiB;
constexpr uint64_t kSeldomLookBytes = 256 * kMiB;
constexpr uint64_t kNearLimitDivisor = 16;

/// glibc raises the size from which blocks are mapped on their own, and with that returned to the
/// system when freed, each time such a block is freed; up to 32 MiB then stay in the heap.
void return_large_blocks_at_once() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 4 * 1024 * 1024);
  mallopt(M_TRIM_THRESHOLD, 8 * 1024 * 1024);
  mallopt(M_TOP_PAD, 1024 * 1024);
#endif
}

/// A value of /proc/self/status in bytes ("VmHWM:    1234 kB").
uint64_t status_field_bytes(const std::string& name) {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with(name + ":")) {
      return std::strtoull(line.c_str() + name.size() + 1, nullptr, 10) * kKiB;
    }
  }
  return 0;
}

uint64_t physical_memory_bytes() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page_bytes = sysconf(_SC_PAGE_SIZE);
  if (pages <= 0 || page_bytes <= 0) return 4 * kGiB;
  return static_cast<uint64_t>(pages) * static_cast<uint64_t>(page_bytes);
}

/// Reserves from the budget before the underlying pool allocates.
class BudgetPool final : public arrow::MemoryPool {
 public:
  BudgetPool(MemoryBudget& budget, bool (*acquire)(MemoryBudget&, uint64_t),
             void (*give_back)(MemoryBudget&, uint64_t))
      : budget_(budget), acquire_(acquire), give_back_(give_back) {}

  arrow::Status Allocate(int64_t size, int64_t alignment, uint8_t** out) override {
    ARROW_RETURN_NOT_OK(reserve(size));
    const auto status = parent_->Allocate(size, alignment, out);
    if (!status.ok()) give_back_(budget_, static_cast<uint64_t>(size));
    return status;
  }

  arrow::Status Reallocate(int64_t old_size, int64_t new_size, int64_t alignment,
                           uint8_t** ptr) override {
    // Both blocks exist while the content moves.
    ARROW_RETURN_NOT_OK(reserve(new_size));
    const auto status = parent_->Reallocate(old_size, new_size, alignment, ptr);
    give_back_(budget_, static_cast<uint64_t>(status.ok() ? old_size : new_size));
    return status;
  }

  void Free(uint8_t* buffer, int64_t size, int64_t alignment) override {
    parent_->Free(buffer, size, alignment);
    give_back_(budget_, static_cast<uint64_t>(size));
  }

  void ReleaseUnused() override { parent_->ReleaseUnused(); }

  int64_t bytes_allocated() const override { return parent_->bytes_allocated(); }
  int64_t total_bytes_allocated() const override { return parent_->total_bytes_allocated(); }
  int64_t num_allocations() const override { return parent_->num_allocations(); }
  std::string backend_name() const override { return parent_->backend_name(); }

 private:
  arrow::Status reserve(int64_t size) {
    if (size >= 0 && acquire_(budget_, static_cast<uint64_t>(size))) return arrow::Status::OK();
    return arrow::Status::OutOfMemory("the memory budget of ",
                                      format_byte_size(budget_.resident_limit_bytes()), " has no ",
                                      format_byte_size(static_cast<uint64_t>(size)), " left; ",
                                      format_byte_size(budget_.available_bytes()), " are free");
  }

  MemoryBudget& budget_;
  bool (*acquire_)(MemoryBudget&, uint64_t);
  void (*give_back_)(MemoryBudget&, uint64_t);
  // The system allocator returns large blocks to the system at once, so the resident size follows.
  arrow::MemoryPool* parent_ = arrow::system_memory_pool();
};

}  // namespace

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  if (this != &other) {
    release();
    budget_ = std::exchange(other.budget_, nullptr);
    bytes_ = std::exchange(other.bytes_, 0);
  }
  return *this;
}

bool Reservation::resize(uint64_t bytes) {
  if (budget_ == nullptr) return bytes == 0;
  if (bytes > bytes_) {
    if (!budget_->acquire(bytes - bytes_)) return false;
  } else {
    budget_->give_back(bytes_ - bytes);
  }
  bytes_ = bytes;
  return true;
}

void Reservation::absorb(Reservation other) {
  if (budget_ == nullptr) budget_ = other.budget_;
  bytes_ += std::exchange(other.bytes_, 0);
}

Reservation Reservation::split(uint64_t bytes) {
  bytes_ -= bytes;
  return {budget_, bytes};
}

void Reservation::release() {
  if (budget_ != nullptr) budget_->give_back(bytes_);
  budget_ = nullptr;
  bytes_ = 0;
}

MemoryBudget::MemoryBudget(uint64_t resident_limit_bytes, uint64_t capacity_bytes)
    : resident_limit_bytes_(resident_limit_bytes),
      capacity_bytes_(capacity_bytes),
      pool_(std::make_unique<BudgetPool>(
          *this, [](MemoryBudget& budget, uint64_t bytes) { return budget.acquire(bytes); },
          [](MemoryBudget& budget, uint64_t bytes) { budget.give_back(bytes); })) {}

Result<std::unique_ptr<MemoryBudget>> MemoryBudget::create(uint64_t resident_limit_bytes) {
  if (resident_limit_bytes < kMinimumBytes) {
    return invalid_argument("--memory {} is too little; at least {} is needed",
                            format_byte_size(resident_limit_bytes),
                            format_byte_size(kMinimumBytes));
  }
  return_large_blocks_at_once();
  // A debug build or a sanitizer may start large; the least that leaves a working program counts.
  const uint64_t fixed =
      std::min(resident_bytes() + kReserveBytes + resident_limit_bytes / kSlackDivisor,
               resident_limit_bytes - kMinimumCapacityBytes);
  return std::unique_ptr<MemoryBudget>(
      new MemoryBudget(resident_limit_bytes, resident_limit_bytes - fixed));
}

uint64_t MemoryBudget::default_limit_bytes() {
  const uint64_t memory = std::min(physical_memory_bytes(), cgroup_memory_limit_bytes());
  const uint64_t floor = std::min(memory, 512 * kMiB);
  return std::max({memory / 4, floor, kMinimumBytes});
}

bool MemoryBudget::try_reserve(uint64_t bytes, Reservation& out) {
  if (!acquire(bytes)) return false;
  out = Reservation(this, bytes);
  return true;
}

bool MemoryBudget::try_reserve_at_once(uint64_t bytes, Reservation& out) {
  if (!acquire_now(bytes)) return false;
  out = Reservation(this, bytes);
  return true;
}

uint64_t MemoryBudget::available_bytes() const {
  const uint64_t used = used_bytes();
  return used >= capacity_bytes_ ? 0 : capacity_bytes_ - used;
}

bool MemoryBudget::acquire(uint64_t bytes) {
  if (acquire_now(bytes)) return true;
  if (reclaimer_ == nullptr || bytes > capacity_bytes_) return false;
  // What one thread frees another one may take; who asks again has seen the others served.
  for (int round = 0; round < kReclaimRoundsMax; ++round) {
    reclaimer_->reclaim(bytes);
    if (acquire_now(bytes)) return true;
  }
  return false;
}

bool MemoryBudget::acquire_now(uint64_t bytes) {
  uint64_t used = used_bytes_.load(std::memory_order_relaxed);
  do {
    if (bytes > capacity_bytes_ - std::min(used, capacity_bytes_)) return false;
  } while (!used_bytes_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
  count_acquired(bytes);
  return true;
}

void MemoryBudget::count_acquired(uint64_t bytes) {
  const uint64_t acquired = acquired_bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  uint64_t due = next_look_bytes_.load(std::memory_order_relaxed);
  if (acquired < due || !next_look_bytes_.compare_exchange_strong(due, acquired + kLookBytes,
                                                                  std::memory_order_relaxed)) {
    return;
  }
  const uint64_t near_bytes = resident_limit_bytes_ - resident_limit_bytes_ / kNearLimitDivisor;
  const uint64_t resident = resident_bytes();
  if (resident < near_bytes) return;
  return_free_heap();
  if (resident_bytes() + kLookBytes > resident) {
    next_look_bytes_.store(acquired + kSeldomLookBytes, std::memory_order_relaxed);
  }
}

void MemoryBudget::give_back(uint64_t bytes) {
  used_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
}

uint64_t peak_resident_bytes() {
  if (const uint64_t bytes = status_field_bytes("VmHWM"); bytes != 0) return bytes;
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
#ifdef __APPLE__
  return static_cast<uint64_t>(usage.ru_maxrss);
#else
  return static_cast<uint64_t>(usage.ru_maxrss) * kKiB;
#endif
}

uint64_t resident_bytes() { return status_field_bytes("VmRSS"); }

uint64_t virtual_bytes() { return status_field_bytes("VmSize"); }

}  // namespace tapeworks
