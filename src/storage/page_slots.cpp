#include "storage/page_slots.h"

#include <algorithm>
#include <new>

#include <sys/mman.h>

#include "base/units.h"

namespace tapeworks {

PageSlots::~PageSlots() {
  for (std::byte* const slab : slabs_) ::munmap(slab, slab_bytes());
}

/// Address space that is taken at once.
size_t PageSlots::slab_bytes() const { return std::max(size_t{8} * kMiB, slot_bytes_); }

std::byte* PageSlots::take() {
  if (free_.empty()) {
    std::byte* const slab = map_pages(slab_bytes());
    slabs_.push_back(slab);
    for (size_t at = slab_bytes() / slot_bytes_ * slot_bytes_; at >= slot_bytes_;) {
      at -= slot_bytes_;
      free_.push_back(slab + at);
    }
  }
  std::byte* const slot = free_.back();
  free_.pop_back();
  return slot;
}

void PageSlots::give_back(std::vector<std::byte*>& slots) {
  // Neighbours together: each call interrupts the other processors.
  std::ranges::sort(slots);
  for (size_t first = 0; first < slots.size();) {
    size_t end = first + 1;
    while (end < slots.size() && slots[end] == slots[end - 1] + slot_bytes_) ++end;
    // Where pages are larger it may fail, and the slots keep their memory.
    (void)::madvise(slots[first], (end - first) * slot_bytes_, MADV_DONTNEED);
    first = end;
  }
  free_.insert(free_.end(), slots.begin(), slots.end());
  slots.clear();
}

std::byte* map_pages(size_t bytes) {
  void* const at =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  return static_cast<std::byte*>(at);
}

}  // namespace tapeworks
