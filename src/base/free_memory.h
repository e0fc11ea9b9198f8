#pragma once

namespace tapeworks {

/// Gives back to the system what the allocator keeps of freed memory, in the heaps of all threads:
/// after work that needed much for a while. Takes milliseconds; any thread may call it.
void return_free_memory();

}  // namespace tapeworks
