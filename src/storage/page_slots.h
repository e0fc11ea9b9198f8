#pragma once

#include <cstddef>
#include <vector>

namespace tapeworks {

inline constexpr size_t kPageBytes = 4096;

/// Places for chunks of one size, in large mappings apart from the heap: memory follows as a place
/// is touched, and that of one place goes back to the system whatever lies beside it.
///
/// Ownership: who takes a slot has it until it is given back; nothing of one may be used after the
/// object has gone. Errors: take() throws std::bad_alloc. Threads: one at a time.
class PageSlots {
 public:
  /// `slot_bytes` are whole pages.
  explicit PageSlots(size_t slot_bytes) : slot_bytes_(slot_bytes) {}
  PageSlots(const PageSlots&) = delete;
  PageSlots& operator=(const PageSlots&) = delete;
  ~PageSlots();

  std::byte* take();
  /// Their memory goes to the system. Leaves `slots` empty.
  void give_back(std::vector<std::byte*>& slots);

 private:
  size_t slab_bytes() const;

  const size_t slot_bytes_;
  std::vector<std::byte*> slabs_;
  std::vector<std::byte*> free_;
};

/// Zeroed memory of whole pages, for munmap(). Throws std::bad_alloc.
std::byte* map_pages(size_t bytes);

}  // namespace tapeworks
