"""kill -9 at 100 random moments of `run --incremental`; each next run must complete and equal a rebuild.

    TAPEWORKS_BINARY=build/release/tapeworks .venv/bin/python tests/long/kill_incremental.py [COUNT [SEED]]

Prints the seed first, so that a finding can be repeated.
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from crashing import IncrementalKillExperiment  # noqa: E402


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns() % 1_000_000
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        killed = IncrementalKillExperiment(Path(folder), rows=400_000).kill_many(count, seed)
    print(f"{killed} of {count} increments were killed before they ended; each next run equalled a rebuild")
    return 0


if __name__ == "__main__":
    sys.exit(main())
