#pragma once

#include <cstddef>  // tells which C library it is

/// Marks a function whose loops are worth compiling twice on x86-64: once for the baseline that
/// every machine has, once for AVX2. The dynamic linker takes the fitting one when the program
/// starts, so one binary serves all machines. Elsewhere, and under sanitizers (whose runtime starts
/// after the linker has chosen), there is only the plain one. Results are the same bits:
/// floating-point contraction is off everywhere.
#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
    !defined(TAPEWORKS_SANITIZED)
#define TW_HOT_LOOP __attribute__((target_clones("avx2", "default")))
/// Likewise for code whose fused multiply-adds (which are asked for one by one, and exact) are an
/// instruction on newer machines and a call on older ones; with everything inlined that it calls,
/// where the compiler has both. The level is asked for, not a processor: clones for a processor are
/// taken on that very one only.
#if defined(__clang__)
#define TW_HOT_FMA __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define TW_HOT_FMA __attribute__((target_clones("arch=x86-64-v3", "default"), flatten))
#endif
#else
#define TW_HOT_LOOP
#define TW_HOT_FMA
#endif
