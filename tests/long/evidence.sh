#!/bin/sh
# Runs the recorder's long experiments and writes what they say to docs/evidence.md, with date and commit.
#
#   TAPEWORKS_BINARY=build/dev/tapeworks tests/long/evidence.sh STATE_FOLDER
#
# The binary is of a build with tests and a scripted clock (preset dev, or release with both switched on). STATE_FOLDER keeps what
# adds up over runs: kills, seeds and faults that have passed, for as long as the recorder's sources stay as they are. How much is
# done, by the environment:
#
#   KILLS (2000)   kill -9 of the recorder
#   SEEDS (10000)  simulated recordings
#   STEP (1)       every how many calls a fault is injected
#   SECONDS_SLOW (300), SECONDS_LEGS (300)  of slow disks and cut legs   ten minutes each
#
# TSAN_BINARY: a tapeworks of preset tsan, of the same sources; the section about threads is not made without it.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
state=${1:?STATE_FOLDER is missing}
mkdir -p "$state"
state=$(cd "$state" && pwd)
commit=$(git -C "$root" rev-parse --short HEAD)
# What the recorder and its judges are made of; a commit that changes something else leaves the evidence as good as it was.
sources_of() {  # COMMIT
  git -C "$root" ls-tree "$1" CMakeLists.txt CMakePresets.json cmake src/base src/storage src/recorder src/cli tests/support tests/long |
    git hash-object --stdin | cut -c1-12
}
sources=$(sources_of HEAD)
if [ -n "$(git -C "$root" status --porcelain)" ]; then
  echo "evidence.sh: the working tree has changes; commit them, so that the report can name what was tried" >&2
  exit 2
fi
check_built() {  # BINARY
  built=$("$1" --version | sed -n 's/.*(commit \([0-9a-f]*\)[,)].*/\1/p')
  if [ -z "$built" ] || [ "$(sources_of "$built")" != "$sources" ]; then
    echo "evidence.sh: $1 was not built of what is here; configure and build again" >&2
    exit 2
  fi
}
binary=$(realpath "${TAPEWORKS_BINARY:-$root/build/dev/tapeworks}")
build=$(dirname "$binary")
check_built "$binary"
if [ -n "${TSAN_BINARY:-}" ]; then
  TSAN_BINARY=$(realpath "$TSAN_BINARY")
  check_built "$TSAN_BINARY"
  if ! grep -q __tsan_init "$TSAN_BINARY"; then
    echo "evidence.sh: $TSAN_BINARY was built without ThreadSanitizer; use one of preset tsan" >&2
    exit 2
  fi
fi
python=$root/.venv/bin/python
report=$root/docs/evidence.md
new=$(mktemp)
trap 'rm -f "$new"' EXIT

run() {  # TITLE COMMAND...
  title=$1
  shift
  echo "$(date -u +%H:%M:%S) $title" >&2
  {
    printf '\n## %s\n\n```\n' "$title"
    if ! TAPEWORKS_BINARY=$binary "$@" 2>&1; then echo "FAILED"; fi
    printf '```\n'
  } >> "$new"
}

suite() { (cd "$root/tests/recorder" && "$python" -m pytest -q -p no:cacheprovider --confcutdir "$root/tests" "$@"); }
threads() {
  if [ -z "${TSAN_BINARY:-}" ]; then
    echo "not made: TSAN_BINARY is not set"
    return
  fi
  TAPEWORKS_BINARY=$TSAN_BINARY TAPEWORKS_SANITIZE=thread TSAN_OPTIONS="suppressions=$root/tests/support/tsan.supp:second_deadlock_stack=1" suite "$@"
}
long() {
  script=$1
  shift
  "$python" "$root/tests/long/$script" "$@"
}
unit() { "$build/src/$1" --gtest_brief=1 --gtest_filter="$2"; }

{
  printf '# What was tried, and what came of it\n\n'
  printf 'Written by `tests/long/evidence.sh`. Date: %s. Commit: %s. Sources of the recorder: %s.\n' "$(date -u +%Y-%m-%d)" "$commit" "$sources"
} > "$new"
run "Power cuts: all that was not synced is lost or kept by chance, at each moment (log)" unit storage/storage_test 'LogCrashTest.*'
run "Crashes at random steps (files)" unit recorder/sink/sink_test '*SinkCrashTest*'
run "A failed write or sync is final" unit storage/storage_test 'LogWriterTest.AFailed*'
run "A full disk: every step of the ladder on a tmpfs" suite test_full_disk.py
run "A log that stands still: every loss policy" suite test_slow_disk.py
run "Threads under TSan: reconnects, reload and two legs" threads test_hostile_servers.py test_reload.py test_two_legs.py
run "Simulated recordings" long simulate.py "$state/seeds-$sources" --seeds "${SEEDS:-10000}"
run "Kills of the recorder while messages come" long kill_record.py "${KILLS:-2000}" "$state/kills-$sources.json"
run "One of two legs is cut at random" long two_legs.py --seconds "${SECONDS_LEGS:-300}"
run "A day and two hours by the clock of a script" long scripted_day.py
run "An output that takes hardly anything" long slow_disk.py --seconds "${SECONDS_SLOW:-300}"
run "EIO, ENOSPC and the end of the process at calls that change files" long inject_faults.py "${STEP:-1}" --done "$state/faults-$sources"
cp "$new" "$report"
cat "$report"
if grep -q FAILED "$report"; then exit 1; fi
