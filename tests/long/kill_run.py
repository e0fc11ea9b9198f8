"""kill -9 at 50 random moments of `run` over an existing data directory.

    TAPEWORKS_BINARY=build/release/tapeworks .venv/bin/python tests/long/kill_run.py [COUNT [SEED]]

The seed is printed first, so that a finding can be repeated.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from crashing import KillExperiment, kill_main  # noqa: E402

if __name__ == "__main__":
    kill_main(KillExperiment, rows=2_000_000, count=50)
