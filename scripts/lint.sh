#!/usr/bin/env bash
# Formatting and clang-tidy over our own sources: scripts/lint.sh [FILE...]. Needs build/dev to be
# configured, because clang-tidy reads its compile commands.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup.sh lint
[[ -f build/dev/compile_commands.json ]] || cmake --preset dev >/dev/null

files=("$@")
if ((${#files[@]} == 0)); then
  mapfile -t files < <(find src -name '*.cpp' -o -name '*.h' | sort)
fi
clang-format-19 --dry-run -Werror "${files[@]}"

mapfile -t sources < <(printf '%s\n' "${files[@]}" | grep '\.cpp$' || true)
if ((${#sources[@]} == 0)); then exit 0; fi
# The compile commands are gcc's, so clang is told to forget the flags it does not know.
printf '%s\0' "${sources[@]}" |
  xargs -0 -n 1 -P "$(scripts/build_jobs.sh)" clang-tidy-19 -p build/dev --quiet \
    --extra-arg=-Wno-unknown-warning-option --warnings-as-errors='*'
