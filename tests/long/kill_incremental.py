"""kill -9 at 100 random moments of `run --incremental`; each next run must complete and equal a rebuild.

    TAPEWORKS_BINARY=build/release/tapeworks .venv/bin/python tests/long/kill_incremental.py [COUNT [SEED]]

The seed is printed first, so that a finding can be repeated.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from crashing import IncrementalKillExperiment, kill_main  # noqa: E402

if __name__ == "__main__":
    kill_main(IncrementalKillExperiment, rows=400_000, count=100)
