#pragma once

#include <cstdint>

namespace tapeworks {

/// What the program has from the allocator and has not given back to it, in bytes. What is resident
/// beyond it is code, stacks, and freed memory that the allocator keeps. Any thread may call it; it
/// locks one heap after the other, for up to a millisecond. 0 where the allocator does not tell, as
/// under sanitizers and with other C libraries than glibc.
uint64_t used_heap_bytes();

/// Gives back to the system what the allocator keeps of freed memory, in the heaps of all threads:
/// after work that needed much for a while. Any thread may call it; it locks one heap after the
/// other, for milliseconds, in which their threads wait if they allocate.
void return_free_heap();

}  // namespace tapeworks
