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
  ctest --preset "$preset" --output-on-failure -j "$(getconf _NPROCESSORS_ONLN)" || failed+=("$preset")
done

if ((${#failed[@]} > 0)); then
  printf '%s\n' "test: failed in ${failed[*]}" >&2
  exit 1
fi
