#!/usr/bin/env bash
# Installs what is missing, builds and runs every test through ctest.
#
#   scripts/test.sh               the preset dev
#   scripts/test.sh asan tsan     these presets, one after the other
#   scripts/test.sh --all         dev, asan, tsan, and the build and unit tests of clang
#
# Exits with 0 when all tests of all presets passed. See CONTRIBUTING.md for single tests.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

presets=()
for argument in "$@"; do
  case $argument in
    --all) presets+=(dev asan tsan clang) ;;
    dev | release | asan | tsan | clang) presets+=("$argument") ;;
    *)
      printf '%s\n' "test: unknown preset '$argument'; use dev, release, asan, tsan, clang or --all." >&2
      exit 2
      ;;
  esac
done
((${#presets[@]} > 0)) || presets=(dev)

# Clones in different folders share what they compiled: paths are hashed relative to the clone.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

scripts/setup.sh tests
for preset in "${presets[@]}"; do
  if [[ $preset == clang ]]; then scripts/setup.sh lint; fi
done

# What failed in a preset and why, in few lines: the end is all that some logs keep.
tell_failures() {
  local folder=build/$1/Testing/Temporary
  [[ -f $folder/LastTestsFailed.log && -f $folder/LastTest.log ]] || return 0
  awk -v lines_max=10 '
    NR == FNR { sub(/^[0-9]+:/, ""); failed[$0] = 1; next }
    sub(/^[0-9]+\/[0-9]+ Testing: /, "") { name = $0; lines = 0; if (name in failed) print name " failed" }
    name in failed && lines < lines_max && /^E  |Failure$|^Which is|Actual:|Expected|Sanitizer|waited in vain/ {
      print name ": " substr($0, 1, 300); ++lines
    }' "$folder/LastTestsFailed.log" "$folder/LastTest.log" >&2
}

# A failed preset does not keep the others from being tested; the exit code tells of it at the end.
failed=()
for preset in "${presets[@]}"; do
  printf '%s\n' "== $preset: building" >&2
  # Configuring takes seconds, so it is left out when nothing it reads has changed; ninja does the rest.
  if [[ ! -f build/$preset/build.ninja ]] ||
    ! grep -qs '^TAPEWORKS_TESTS:BOOL=ON' "build/$preset/CMakeCache.txt"; then
    cmake --preset "$preset" -DTAPEWORKS_TESTS=ON >/dev/null || { failed+=("$preset"); continue; }
  fi
  ninja -C "build/$preset" -j "$(scripts/build_jobs.sh)" --quiet || { failed+=("$preset"); continue; }
  printf '%s\n' "== $preset: testing" >&2
  rm -f "build/$preset/Testing/Temporary/LastTestsFailed.log"
  ctest --preset "$preset" --output-on-failure -j "$(getconf _NPROCESSORS_ONLN)" || {
    failed+=("$preset")
    tell_failures "$preset"
  }
done

if ((${#failed[@]} > 0)); then
  printf '%s\n' "test: failed in ${failed[*]}" >&2
  exit 1
fi
