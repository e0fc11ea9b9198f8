#include "storage/heap_memory.h"

#include <cstdlib>  // says whether this is glibc

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace tapeworks {

uint64_t used_heap_bytes() {
#ifdef __GLIBC__
  const auto heaps = mallinfo2();
  return heaps.uordblks + heaps.hblkhd;
#else
  return 0;
#endif
}

void prepare_heap_for_long_run() {
#ifdef __GLIBC__
  // Failing, they would cost time or memory and nothing else.
  static_cast<void>(mallopt(M_MXFAST, 0));
  static_cast<void>(mallopt(M_MMAP_THRESHOLD, 128 * 1024));
#endif
}

void return_free_heap() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace tapeworks
