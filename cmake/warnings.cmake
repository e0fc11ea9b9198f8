# Warnings for our own code only: an interface target that every module of ours links.
add_library(tapeworks_warnings INTERFACE)
target_compile_options(tapeworks_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor
  -Wcast-align -Wunused -Woverloaded-virtual -Wdouble-promotion -Wformat=2)
# gcc 12 sees overlaps and overruns inside std::string and Boost that are not there once it inlines at
# -O3 (gcc bugs 105651 and 105329); the other presets and clang keep these warnings.
target_compile_options(tapeworks_warnings INTERFACE
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:Release>>:-Wno-restrict -Wno-array-bounds
    -Wno-stringop-overflow -Wno-stringop-overread -Wno-maybe-uninitialized>)
# clang blames std::stable_sort of libstdc++ 12 on whoever calls it; gcc still names what is deprecated.
target_compile_options(tapeworks_warnings INTERFACE
  $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>)
if(TAPEWORKS_WARNINGS_AS_ERRORS)
  target_compile_options(tapeworks_warnings INTERFACE -Werror)
endif()

# Results must equal the reference bit for bit, so a multiplication and an addition are never
# contracted into one rounding. On every target, tests included.
add_compile_options(-ffp-contract=off)
# 128-bit integers are a documented extension of both compilers; -Wpedantic would refuse the word.
add_compile_options($<$<CXX_COMPILER_ID:Clang,AppleClang>:-Wno-gnu-anonymous-struct>)
