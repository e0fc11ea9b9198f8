#!/bin/sh
# Runs the recorder's long experiments and writes what they say to docs/evidence.md, with date and commit.
#
#   TAPEWORKS_BINARY=build/release/tapeworks tests/long/evidence.sh [STEP [KILLS]]
#
# STEP: every how many calls a fault is injected (tests/long/inject_faults.py); 1 takes a day, 10 some hours.
# KILLS: of the recorder (tests/long/kill_record.py); 2000 take an hour and a half.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
binary=${TAPEWORKS_BINARY:-$root/build/release/tapeworks}
python=$root/.venv/bin/python
report=$root/docs/evidence.md
new=$(mktemp)
kills=$(mktemp -u)
trap 'rm -f "$new" "$kills"' EXIT

run() {  # TITLE COMMAND...
  title=$1
  shift
  {
    printf '\n## %s\n\n```\n' "$title"
    if ! TAPEWORKS_BINARY=$binary "$@" 2>&1; then echo "FAILED"; fi
    printf '```\n'
  } >> "$new"
}

{
  printf '# What was tried, and what came of it\n\n'
  printf 'Written by `tests/long/evidence.sh`. Date: %s. Commit: %s.\n' "$(date -u +%Y-%m-%d)" "$(git -C "$root" rev-parse --short HEAD)"
} > "$new"
run "A full disk: every step of the ladder on a tmpfs" "$python" -m pytest -q -p no:cacheprovider "$root/tests/recorder/test_full_disk.py"
run "EIO, ENOSPC and the end of the process at calls that change files" "$python" "$root/tests/long/inject_faults.py" "${1:-10}"
run "Kills of the recorder while messages come" "$python" "$root/tests/long/kill_record.py" "${2:-200}" "$kills"
cp "$new" "$report"
cat "$report"
if grep -q FAILED "$report"; then exit 1; fi
