#pragma once

#include <cstdint>

namespace tapeworks {

/// What the program has from the allocator and has not given back to it, in bytes. What is resident
/// beyond it is code, stacks, and freed memory that the allocator keeps. Any thread may call it; it
/// locks one heap after the other, for up to a millisecond. 0 where the allocator does not tell, as
/// under sanitizers and with other C libraries than glibc.
uint64_t used_heap_bytes();

/// Has glibc join a small block that is freed with what is free beside it at once. By default it
/// collects them in fast bins, and joins all of them with each free of a large block, for which who
/// frees many of both pays dearly. Before other threads are started; elsewhere it does nothing.
void disable_fast_bins();

/// Gives back to the system what the allocator keeps of freed memory, in the heaps of all threads:
/// after work that needed much for a while. Any thread may call it; it locks one heap after the
/// other, for milliseconds, in which their threads wait if they allocate.
void return_free_heap();

}  // namespace tapeworks
