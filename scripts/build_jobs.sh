#!/usr/bin/env bash
# Prints how many compilers may run at once: one a core, but 2 GiB of free memory for each.
set -euo pipefail
jobs=$(getconf _NPROCESSORS_ONLN)
if [[ -r /proc/meminfo ]]; then
  by_memory=$(awk '/^MemAvailable:/ { print int($2 / (2 * 1024 * 1024)) }' /proc/meminfo)
  if ((by_memory < jobs)); then jobs=$by_memory; fi
fi
if ((jobs < 1)); then jobs=1; fi
printf '%s\n' "$jobs"
