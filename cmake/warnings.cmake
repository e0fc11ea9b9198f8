# Warnings for our own code only: an interface target that every module of ours links.
add_library(tapeworks_warnings INTERFACE)
target_compile_options(tapeworks_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor
  -Wcast-align -Wunused -Woverloaded-virtual -Wdouble-promotion -Wformat=2)
if(TAPEWORKS_WARNINGS_AS_ERRORS)
  target_compile_options(tapeworks_warnings INTERFACE -Werror)
endif()

# Results must equal the reference bit for bit, so a multiplication and an addition are never
# contracted into one rounding. On every target, tests included.
add_compile_options(-ffp-contract=off)
# 128-bit integers are a documented extension of both compilers; -Wpedantic would refuse the word.
add_compile_options($<$<CXX_COMPILER_ID:Clang,AppleClang>:-Wno-gnu-anonymous-struct>)
