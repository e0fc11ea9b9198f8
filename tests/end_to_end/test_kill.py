"""kill -9 at random moments: the old or the new generation is there, whole. tests/long/kill_run.py does more."""

import os
import time

from crashing import IncrementalKillExperiment, KillExperiment

KILLS = 10


def test_a_killed_run_leaves_the_old_or_the_new_generation(tmp_path):
    seed = int(os.environ.get("TAPEWORKS_SEED", time.time_ns() % 1_000_000))
    print(f"seed {seed} (repeat with TAPEWORKS_SEED={seed})")
    killed = KillExperiment(tmp_path, rows=300_000).kill_many(KILLS, seed)
    assert killed > 0, f"no run was killed before it ended (seed {seed})"


def test_after_a_killed_increment_the_next_one_equals_a_rebuild(tmp_path):
    """tests/long/kill_incremental.py does more."""
    seed = int(os.environ.get("TAPEWORKS_SEED", time.time_ns() % 1_000_000))
    print(f"seed {seed} (repeat with TAPEWORKS_SEED={seed})")
    killed = IncrementalKillExperiment(tmp_path, rows=100_000).kill_many(6, seed)
    assert killed > 0, f"no run was killed before it ended (seed {seed})"
