"""Recordings in virtual time, by seeds: faults of exchanges and network, kills and restarts; each judged by the ledger of what was sent.

    TMPDIR=/dev/shm TAPEWORKS_BINARY=build/release/tapeworks TAPEWORKS_SIMULATION=build/dev/src/recorder/simulation/recording_simulation \\
        .venv/bin/python tests/long/simulate.py DONE_FILE [--seeds 10000] [--workers 2]

DONE_FILE gets a line for each seed that passed; seeds that stand in it are left out, so the script can be stopped and started again.
A seed that breaks a promise is printed, and makes the exit code 1 at the end; `recording_simulation FOLDER SEED` plays it again.
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from seeds import check_seeds  # noqa: E402
from simulation import simulate  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("done_file", type=Path)
    parser.add_argument("--seeds", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 2)
    options = parser.parse_args()
    if failed := check_seeds(simulate, options.done_file, options.seeds, options.workers):
        print(f"{len(failed)} seeds broke a promise: {failed}")
        return 1
    print(f"{options.seeds} seeds: what is missing lies in recorded gaps, nothing is there twice, each replay has the same bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
