"""kill -9 at 50 random moments of `run` over an existing data directory.

    TAPEWORKS_BINARY=build/release/tapeworks .venv/bin/python tests/long/kill_run.py [COUNT [SEED]]

Prints the seed first, so that a finding can be repeated.
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from crashing import KillExperiment  # noqa: E402


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns() % 1_000_000
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        killed = KillExperiment(Path(folder), rows=2_000_000).kill_many(count, seed)
    print(f"{killed} of {count} runs were killed before they ended; each left a whole generation")
    return 0


if __name__ == "__main__":
    sys.exit(main())
