"""Prints in words what a run cost, from the JSON line that --stats wrote: demo_cost.py FILE."""

import json
import sys


def main() -> int:
    with open(sys.argv[1], encoding="utf-8") as file:
        lines = [line for line in file if line.startswith("{")]
    if not lines:
        print(f"demo: {sys.argv[1]} holds no line of --stats", file=sys.stderr)
        return 1
    stats = json.loads(lines[-1])
    print(f"{stats['rows']:>13,} rows")
    print(f"{stats['rows_per_second']:>13,.0f} rows a second")
    print(f"{stats['wall_seconds']:>13.2f} s wall, written and synced to disk")
    print(f"{stats['cpu_seconds']:>13.2f} s of CPU")
    print(f"{stats['peak_memory_bytes'] / 2**20:>13,.0f} MiB of memory at the peak")
    return 0


if __name__ == "__main__":
    sys.exit(main())
