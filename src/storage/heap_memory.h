#pragma once

#include <cstdint>

namespace tapeworks {

/// What the program has from the allocator and has not given back to it, in bytes. What is resident
/// beyond it is code, stacks, and freed memory that the allocator keeps. Any thread may call it; it
/// locks one heap after the other, for up to a millisecond. 0 where the allocator does not tell, as
/// under sanitizers and with other C libraries than glibc.
uint64_t used_heap_bytes();

/// Sets glibc up for a program that runs for months. Before other threads are started; elsewhere it
/// does nothing.
///
/// Blocks of 128 KiB and more have mappings of their own, which go back to the system when they are
/// freed. So it begins, but with each of them that is freed glibc puts the limit up, to 32 MiB in
/// the end; then they lie in the heap, and leave holes between small ones that stay.
/// And a small block that is freed is joined with what is free beside it at once. By default glibc
/// collects such blocks in fast bins, and joins all of them with each free of a large block, for
/// which who frees many of both pays dearly.
void prepare_heap_for_long_run();

/// Gives back to the system what the allocator keeps of freed memory, in the heaps of all threads:
/// after work that needed much for a while. Any thread may call it; it locks one heap after the
/// other, for milliseconds, in which their threads wait if they allocate.
void return_free_heap();

}  // namespace tapeworks
